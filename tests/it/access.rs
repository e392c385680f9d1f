//! Who may ask for what: every field of every type, by every way that leads to it, for every role.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use parlour::caller::{Agents, Caller, Permission, Permissions, Principal, Role};
use parlour::graphql::access::{has_rule, named, of_member, of_type, table};
use parlour::graphql::json::Json;
use parlour::graphql::{Currency, Graph, GraphqlServices, Operation, PageLimits, execute};
use parlour::roles::Roles;
use sea_orm::Iterable;
use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

const INTROSPECTION: &str = "{ __schema { types { kind name interfaces { name }
    fields { name args { name type { ...T } } type { ...T } } inputFields { name type { ...T } } enumValues { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// How many ways to each type are walked.
const WAYS: usize = 6;

/// The schema, as it tells of itself.
struct Schema(BTreeMap<String, Value>);

impl Schema {
    async fn of(world: &World) -> Self {
        let data = world.ask(INTROSPECTION, json!({})).await;
        let types = data["__schema"]["types"].as_array().unwrap();
        let named = types
            .iter()
            .map(|kind| (kind["name"].as_str().unwrap().to_owned(), kind.clone()))
            .filter(|(name, _)| !name.starts_with("__"));
        Self(named.collect())
    }

    fn kind(&self, name: &str) -> &str {
        self.0[name]["kind"].as_str().unwrap()
    }

    fn members<'a>(&'a self, name: &str, part: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.0[name][part].as_array().into_iter().flatten()
    }

    /// Whether what a field leads to has fields.
    fn leads_on(&self, field: &Value) -> bool {
        matches!(self.kind(leaf(field)), "OBJECT" | "INTERFACE")
    }

    /// A field with the arguments it must have, as text.
    fn call(&self, field: &Value, known: &HashMap<&str, String>) -> String {
        let given: Vec<_> = field["args"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|argument| argument["type"]["kind"] == "NON_NULL")
            .map(|argument| {
                let name = argument["name"].as_str().unwrap();
                let key = format!("{}.{name}", field["name"].as_str().unwrap());
                let value = known.get(key.as_str()).cloned();
                let value = value.unwrap_or_else(|| self.value(&argument["type"]));
                format!("{name}: {value}")
            })
            .collect();
        let name = field["name"].as_str().unwrap();
        if given.is_empty() {
            name.to_owned()
        } else {
            format!("{name}({})", given.join(", "))
        }
    }

    /// Some value of a type.
    fn value(&self, kind: &Value) -> String {
        let name = kind["name"].as_str().unwrap_or_default();
        match kind["kind"].as_str().unwrap() {
            "NON_NULL" => self.value(&kind["ofType"]),
            "LIST" => "[]".to_owned(),
            "ENUM" => self.0[name]["enumValues"][0]["name"]
                .as_str()
                .unwrap()
                .to_owned(),
            "INPUT_OBJECT" => {
                let fields: Vec<_> = self
                    .members(name, "inputFields")
                    .filter(|field| field["type"]["kind"] == "NON_NULL")
                    .map(|field| {
                        format!(
                            "{}: {}",
                            field["name"].as_str().unwrap(),
                            self.value(&field["type"])
                        )
                    })
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            _ => match name {
                "Int" => "1".to_owned(),
                "Float" => "0.5".to_owned(),
                "Boolean" => "true".to_owned(),
                "DateTime" => "\"2026-01-01T00:00:00Z\"".to_owned(),
                "Decimal" => "\"1\"".to_owned(),
                "JSONObject" | "JSON" => "{}".to_owned(),
                _ => "\"nothing\"".to_owned(),
            },
        }
    }
}

/// The name of the type that a field, or an argument, ends in.
fn leaf(field: &Value) -> &str {
    let mut kind = &field["type"];
    while !kind["ofType"].is_null() {
        kind = &kind["ofType"];
    }
    kind["name"].as_str().unwrap()
}

/// A way to objects of a type: what stands before and behind a selection, and what the fields on it take.
#[derive(Clone)]
struct Way {
    open: String,
    close: String,
    takes: BTreeSet<String>,
}

/// What somebody has to have, as text that sorts.
fn sets(sets: Vec<Permissions>) -> impl Iterator<Item = String> {
    sets.into_iter().map(|any| {
        any.iter()
            .map(Permission::name)
            .collect::<Vec<_>>()
            .join(" ")
    })
}

fn meets(permissions: Permissions, takes: &BTreeSet<String>) -> bool {
    let held: Vec<_> = permissions.iter().map(Permission::name).collect();
    takes.iter().all(|any| {
        any.split(' ')
            .any(|one| held.iter().any(|held| held == one))
    })
}

/// The shortest ways to every type: from the root, through parents, lists, edges and payloads, and by `node`.
fn ways(
    schema: &Schema,
    known: &HashMap<&str, String>,
    nodes: &[(String, String)],
) -> BTreeMap<String, Vec<Way>> {
    let mut ways: BTreeMap<String, Vec<Way>> = BTreeMap::new();
    let mut next = VecDeque::new();
    for (root, open) in [("Query", "query"), ("Mutation", "mutation")] {
        let way = Way {
            open: open.to_owned(),
            close: String::new(),
            takes: BTreeSet::new(),
        };
        next.push_back((root.to_owned(), way));
    }
    for (noun, id) in nodes {
        for call in ["node(id: ", "nodes(ids: "] {
            let way = Way {
                open: format!("query {{ {call}\"{id}\") {{ ... on {noun}"),
                close: " } }".to_owned(),
                takes: sets(of_type("Node")).collect(),
            };
            next.push_back((noun.clone(), way));
        }
    }
    while let Some((name, way)) = next.pop_front() {
        let found = ways.entry(name.clone()).or_default();
        if found.len() >= WAYS {
            continue;
        }
        found.push(way.clone());
        for field in schema
            .members(&name, "fields")
            .filter(|field| schema.leads_on(field))
        {
            let to = leaf(field);
            let member = field["name"].as_str().unwrap();
            let mut takes = way.takes.clone();
            takes.extend(sets(of_member(&name, member)));
            takes.extend(sets(of_type(to)));
            let way = Way {
                open: format!("{} {{ {}", way.open, schema.call(field, known)),
                close: format!(" }}{}", way.close),
                takes,
            };
            next.push_back((to.to_owned(), way));
        }
    }
    ways
}

/// A world in which there is something of everything, with ids of each noun.
async fn furnish(world: &World) -> Vec<(String, String)> {
    let data = world
        .ask("{ agents(first: 1, search: \"support\") { nodes { id chatUsers(search: \"Ann Lee\", first: 2) { nodes { id lastReceivedMessage { id } sessions(first: 1) { nodes { id } } } } } } }", json!({}))
        .await;
    let agent = &data["agents"]["nodes"][0];
    let user = &agent["chatUsers"]["nodes"][0];
    let id = user["id"].as_str().unwrap();
    let change = format!(
        "mutation {{ subscribeChatUser(input: {{id: \"{id}\", tag: \"news\"}}) {{ chatUser {{ subscriptions {{ nodes {{ id }} }} }} }}
           blockChatUser(input: {{id: \"{id}\", reason: \"spam\"}}) {{ chatUser {{ auditLog {{ nodes {{ id }} }} }} }} }}"
    );
    let changed = world.ask(&change, json!({})).await;
    let other = world
        .ask(
            "{ chatUsers(search: \"Annabel\") { nodes { id } } }",
            json!({}),
        )
        .await;
    let other = other["chatUsers"]["nodes"][0]["id"].as_str().unwrap();
    let delete = format!(
        "mutation {{ deleteChatUser(input: {{id: \"{other}\", mode: SOFT}}) {{ deletion {{ id }} }} }}"
    );
    let deleted = world.ask(&delete, json!({})).await;
    let ids = [
        ("Agent", &agent["id"]),
        ("ChatUser", &user["id"]),
        ("Session", &user["sessions"]["nodes"][0]["id"]),
        ("Message", &user["lastReceivedMessage"]["id"]),
        (
            "ChatUserSubscription",
            &changed["subscribeChatUser"]["chatUser"]["subscriptions"]["nodes"][0]["id"],
        ),
        (
            "AuditEntry",
            &changed["blockChatUser"]["chatUser"]["auditLog"]["nodes"][0]["id"],
        ),
        ("Deletion", &deleted["deleteChatUser"]["deletion"]["id"]),
    ];
    ids.into_iter()
        .map(|(noun, id)| (noun.to_owned(), id.as_str().unwrap().to_owned()))
        .collect()
}

/// Arguments that lead to what there is.
fn known(nodes: &[(String, String)]) -> HashMap<&'static str, String> {
    let id = |noun: &str| {
        let (_, id) = nodes.iter().find(|(name, _)| name == noun).unwrap();
        format!("\"{id}\"")
    };
    HashMap::from([
        ("node.id", id("ChatUser")),
        ("nodes.ids", format!("[{}]", id("ChatUser"))),
        ("agent.id", id("Agent")),
        ("chatUser.id", id("ChatUser")),
        ("session.id", id("Session")),
        ("deletion.id", id("Deletion")),
        ("erasureCheck.id", id("ChatUser")),
        ("mergePreview.into", id("ChatUser")),
        ("mergePreview.from", id("ChatUser")),
        ("blockStatus.agentId", id("Agent")),
        ("blockStatus.platform", "WEB".to_owned()),
        ("blockStatus.platformId", "\"web-00\"".to_owned()),
        ("chatUserByPlatformId.agentId", id("Agent")),
        ("chatUserByPlatformId.platform", "WEB".to_owned()),
        ("chatUserByPlatformId.platformId", "\"web-00\"".to_owned()),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_argument_and_input_has_a_rule() {
    let world = World::new(crate::harness::Kind::Sqlite, Start::Empty).await;
    let schema = Schema::of(&world).await;
    let mut wrong = Vec::new();
    let mut there = BTreeSet::new();
    for name in schema.0.keys() {
        let parts: &[&str] = match schema.kind(name) {
            "OBJECT" | "INTERFACE" => &["fields"],
            "INPUT_OBJECT" => &["inputFields"],
            "ENUM" if name.ends_with("OrderField") => &["enumValues"],
            _ => continue,
        };
        there.insert((name.clone(), None));
        for member in parts.iter().flat_map(|part| schema.members(name, part)) {
            let field = member["name"].as_str().unwrap();
            there.insert((name.clone(), Some(field.to_owned())));
            if !has_rule(name, Some(field)) {
                wrong.push(format!("{name}.{field} has no rule in graphql/access.rs"));
            }
            let is_figure = field
                .strip_prefix("total")
                .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_uppercase()))
                || field.starts_with("TOTAL_")
                || field.to_lowercase().ends_with("cost");
            let free = field == "totalCount" || name.starts_with("Event") || name == "Money";
            let figures = Permissions::from_iter([Permission::FiguresRead]);
            if is_figure && !free && !of_member(name, field).contains(&figures) {
                wrong.push(format!(
                    "{name}.{field} is a figure, and does not take figures:read"
                ));
            }
        }
    }
    for (name, member) in named() {
        if !there.contains(&(name.to_owned(), member.map(str::to_owned))) {
            wrong.push(format!(
                "{name}.{} has a rule and is not there",
                member.unwrap_or("*")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        !has_rule("Invented", None)
            && of_member("Query", "invented").len() == Permission::iter().count()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_is_answered_or_refused_by_every_way_for_every_role() {
    everywhere(Start::Audience, async |world| {
        let nodes = furnish(world).await;
        let schema = Schema::of(world).await;
        let known = known(&nodes);
        let ways = ways(&schema, &known, &nodes);
        for (name, kind) in &schema.0 {
            assert!(
                kind["kind"] != "OBJECT" || ways.contains_key(name),
                "no way leads to {name}"
            );
        }
        let mut asked = 0;
        for role in Role::iter() {
            let seen = world.seen_by(Principal::with_role("somebody", role, Agents::All));
            for (name, ways) in &ways {
                for way in ways {
                    asked += fields(&seen, &schema, &known, role, name, way).await;
                }
            }
        }
        assert!(asked > 3_000, "{asked} questions are few");
    })
    .await;
}

/// Asks for every field of a type by one way: those that somebody may have together, each of the others by itself.
async fn fields(
    seen: &World,
    schema: &Schema,
    known: &HashMap<&str, String>,
    role: Role,
    name: &str,
    way: &Way,
) -> usize {
    let mut asked = 0;
    let mut allowed = vec!["__typename".to_owned()];
    for field in schema.members(name, "fields") {
        let member = field["name"].as_str().unwrap();
        let mut takes = way.takes.clone();
        takes.extend(sets(of_member(name, member)));
        let mut call = schema.call(field, known);
        if schema.leads_on(field) {
            takes.extend(sets(of_type(leaf(field))));
            call.push_str(" { __typename }");
        }
        if meets(role.permissions(), &takes) {
            // Changes are made where they are looked at by themselves.
            if name != "Mutation" {
                allowed.push(format!("f{}: {call}", allowed.len()));
            }
            continue;
        }
        let hidden = [
            (format!("{{ other: {call} }}"), String::new()),
            (
                format!("{{ ... on {name} {{ __typename {call} }} }}"),
                String::new(),
            ),
            (
                "{ __typename ...F }".to_owned(),
                format!(" fragment F on {name} {{ ... @include(if: false) {{ {call} }} }}"),
            ),
        ];
        let hidden = hidden[asked % 3].clone();
        for (selection, behind) in [(format!("{{ {call} }}"), String::new()), hidden] {
            asked += 1;
            let query = format!("{} {selection}{}{behind}", way.open, way.close);
            let (status, answer) = seen.ask_for_bytes(&query, Value::Null).await;
            let is_refused = status == 403
                && answer.contains("\"code\":\"FORBIDDEN\"")
                && !answer.contains("\"data\"");
            assert!(is_refused, "{role:?} {query}: {status} {answer}");
        }
    }
    if name != "Mutation" && meets(role.permissions(), &way.takes) && allowed.len() > 1 {
        asked += 1;
        let query = format!("{} {{ {} }}{}", way.open, allowed.join(" "), way.close);
        let answer = seen.ask_with(&query, Value::Null).await.body;
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        let is_answered =
            code.is_none() || way.open.starts_with("mutation") && code == Some("BAD_USER_INPUT");
        // What only those may ask by who see personal data is the subject of tests of its own.
        let is_answered = is_answered || answer["errors"][0]["extensions"]["argument"].is_string();
        assert!(is_answered, "{role:?} {query}: {answer:#}");
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn every_input_and_order_is_taken_or_refused_for_every_role() {
    everywhere(Start::Audience, async |world| {
        let schema = Schema::of(world).await;
        let lists = [
            ("AgentWhere", "AgentOrder", "agents(PLACE) { nodes { id } }"),
            (
                "ChatUserWhere",
                "ChatUserOrder",
                "agents { nodes { chatUsers(PLACE) { nodes { id } } } }",
            ),
            (
                "SessionWhere",
                "SessionOrder",
                "agents { nodes { sessions(PLACE) { nodes { id } } } }",
            ),
            (
                "MessageWhere",
                "MessageOrder",
                "chatUsers { nodes { messages(PLACE) { nodes { id } } } }",
            ),
            (
                "AuditEntryWhere",
                "AuditEntryOrder",
                "auditLog(PLACE) { nodes { id } }",
            ),
        ];
        for role in Role::iter() {
            let seen = world.seen_by(Principal::with_role("somebody", role, Agents::All));
            for (filter, order, list) in lists {
                let list_takes = match filter {
                    "AgentWhere" => of_member("Query", "agents"),
                    "AuditEntryWhere" => of_member("Query", "auditLog"),
                    _ => of_member("Query", "chatUsers"),
                };
                let list_takes: BTreeSet<_> = sets(list_takes).collect();
                let fields = schema
                    .members(filter, "inputFields")
                    .filter(|field| leaf(field) != filter);
                let fields = fields.map(|field| {
                    let word = field["name"].as_str().unwrap();
                    (
                        of_member(filter, word),
                        format!("or: [{{not: {{{word}: {{}}}}}}]"),
                        json!({"and": [{word: {}}]}),
                        filter,
                        "where",
                    )
                });
                let words = format!("{order}Field");
                let words = schema.members(&words, "enumValues").map(|value| {
                    let word = value["name"].as_str().unwrap();
                    (
                        of_member(&format!("{order}Field"), word),
                        format!("field: {word}"),
                        json!({"field": word}),
                        order,
                        "orderBy",
                    )
                });
                for (takes, literal, variable, kind, argument) in fields.chain(words) {
                    let mut all = list_takes.clone();
                    all.extend(sets(takes));
                    let may = meets(role.permissions(), &all);
                    let place = format!("{argument}: {{{literal}}}");
                    let spelled = format!("{{ {} }}", list.replace("PLACE", &place));
                    let given = format!(
                        "query ($v: {kind}) {{ {} }}",
                        list.replace("PLACE", &format!("{argument}: $v"))
                    );
                    for (query, variables) in
                        [(spelled, Value::Null), (given, json!({ "v": variable }))]
                    {
                        let (status, answer) = seen.ask_for_bytes(&query, variables).await;
                        assert_eq!(status == 403, !may, "{role:?} {query}: {answer}");
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_of_a_variable_is_looked_at_too() {
    everywhere(Start::Audience, async |world| {
        let seen = world.seen_by(Principal::with_role("somebody", Role::Ingest, Agents::All));
        for query in [
            "query ($v: AgentOrder = {field: TOTAL_USERS}) { agents(orderBy: $v) { nodes { id } } }",
            "query ($v: AgentOrderField! = TOTAL_USERS) { agents(orderBy: {field: $v}) { nodes { id } } }",
        ] {
            let (status, answer) = seen.ask_for_bytes(query, Value::Null).await;
            assert_eq!(status, 403, "{answer}");
            assert!(answer.contains("AgentOrderField.TOTAL_USERS"), "{answer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_one_may_not_read_is_null() {
    everywhere(Start::Audience, async |world| {
        let nodes = furnish(world).await;
        for role in Role::iter() {
            let seen = world.seen_by(Principal::with_role("somebody", role, Agents::All));
            for (noun, id) in &nodes {
                let may = of_type(noun)
                    .into_iter()
                    .all(|any| any.meet(role.permissions()));
                let query = format!(
                    "{{ node(id: \"{id}\") {{ id }} nodes(ids: [\"{id}\"]) {{ __typename }} }}"
                );
                let data = seen.ask(&query, Value::Null).await;
                assert_eq!(data["node"].is_object(), may, "{role:?} {noun}");
                assert_eq!(data["nodes"][0].is_object(), may, "{role:?} {noun}");
            }
        }
    })
    .await;
}

/// Beneath the rules of documents: whoever gets past them still finds nothing, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_rules_of_documents_nothing_is_read_or_changed_either() {
    everywhere(Start::Audience, async |world| {
        let nodes = furnish(world).await;
        let schema = Schema::of(world).await;
        let known = known(&nodes);
        let nobody = Principal {
            permissions: Permissions::default(),
            ..Principal::with_role("nobody", Role::Ingest, Agents::All)
        };
        let before = world.ask(EVERYTHING, Value::Null).await;
        let data = run(world, &nobody, EVERYTHING).await;
        assert_eq!(data["errors"], json!([]), "{data}");
        for list in ["agents", "chatUsers", "sessions", "auditLog", "deletions"] {
            assert_eq!(data["data"][list]["totalCount"], 0, "{list}");
            assert_eq!(data["data"][list]["nodes"], json!([]), "{list}");
        }
        for field in schema.members("Query", "fields") {
            let name = field["name"].as_str().unwrap();
            if matches!(
                name,
                "agents"
                    | "chatUsers"
                    | "sessions"
                    | "auditLog"
                    | "deletions"
                    | "nodes"
                    | "node"
                    | "blockStatus"
                    | "mergePreview"
                    | "viewer"
            ) {
                continue;
            }
            let query = format!("{{ {} {{ __typename }} }}", schema.call(field, &known));
            let answer = run(world, &nobody, &query).await;
            assert!(answer["data"][name].is_null(), "{query}: {answer}");
        }
        for field in schema.members("Mutation", "fields") {
            let name = field["name"].as_str().unwrap();
            let input = valid(&nodes, name);
            let query = format!("mutation {{ {name}(input: {input}) {{ __typename }} }}");
            let answer = run(world, &nobody, &query).await;
            assert!(
                answer["errors"][0]["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("requires the permission")),
                "{query}: {answer}"
            );
        }
        assert_eq!(before, world.ask(EVERYTHING, Value::Null).await);
    })
    .await;
}

const EVERYTHING: &str = "{ agents { totalCount nodes { id name } } chatUsers { totalCount nodes { id version tags isBlocked facet: name } facets { platform { count } } }
    sessions { totalCount nodes { id } } auditLog { totalCount nodes { id action } }
    deletions { totalCount nodes { id } } }";

/// An input with which a mutation would do something.
fn valid(nodes: &[(String, String)], mutation: &str) -> String {
    let id = |noun: &str| &nodes.iter().find(|(name, _)| name == noun).unwrap().1;
    let (agent, user) = (id("Agent"), id("ChatUser"));
    match mutation {
        "recordMessages" => {
            "{events: [{agent: {externalId: \"support\"}, user: {platform: WEB, platformId: \"new\"}, \
             message: {externalId: \"new\", role: USER, text: \"hi\", sentAt: \"2026-01-01T00:00:00Z\"}}]}"
                .to_owned()
        }
        "createAgent" => "{externalId: \"new\"}".to_owned(),
        "updateAgent" => format!("{{id: \"{agent}\", name: \"new\"}}"),
        "archiveAgent" | "unarchiveAgent" => format!("{{id: \"{agent}\"}}"),
        "updateChatUsers" => format!("{{changes: [{{id: \"{user}\", name: \"new\"}}]}}"),
        "tagChatUsers" | "untagChatUsers" => format!("{{ids: [\"{user}\"], tags: [\"vip\"]}}"),
        "mergeChatUsers" => format!("{{into: \"{user}\", from: \"{user}\"}}"),
        "deleteChatUser" => format!("{{id: \"{user}\", mode: HARD}}"),
        "updateChatUserSettings" => format!("{{id: \"{user}\", settings: {{new: 1}}}}"),
        "subscribeChatUser" | "unsubscribeChatUser" => format!("{{id: \"{user}\", tag: \"news\"}}"),
        "updateChatUser" => format!("{{id: \"{user}\", name: \"new\"}}"),
        "redactMessage" | "removeMessage" => format!("{{id: \"{}\"}}", id("Message")),
        "createToken" => "{name: \"new\", roles: [\"VIEWER\"]}".to_owned(),
        _ => format!("{{id: \"{user}\"}}"),
    }
}

/// Runs a document without having held it against the rules.
async fn run(world: &World, principal: &Principal, query: &str) -> Value {
    let caller = Caller {
        principal: Arc::new(principal.clone()),
        request_id: "test".to_owned(),
        operation: None,
    };
    let document = async_graphql::parser::parse_query(query).unwrap();
    let operation = Operation::of(&document, None).unwrap();
    let means = GraphqlServices {
        database: world.database.clone(),
        pages: PageLimits::default(),
        currency: Currency::default(),
        roles: Roles::default(),
        clock_ahead: std::time::Duration::MAX,
        reads: None,
    };
    let graph = Graph::default();
    let variables = async_graphql::Variables::default();
    let response = execute(&graph, &means, caller, None, &operation, variables).await;
    let mut data = Json::default();
    data.value(&response.data);
    let data: Value = serde_json::from_str(&data.into_text()).unwrap();
    json!({ "data": data, "errors": response.errors })
}

#[test]
fn the_table_of_rules_is_fresh() {
    const BEGIN: &str = "<!-- rules: written by UPDATE=1 cargo test the_table_of_rules -->\n";
    const END: &str = "<!-- end of rules -->";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let fresh = format!("{head}{BEGIN}{}{END}{tail}", table());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &fresh).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap();
    assert!(
        stored == fresh,
        "the table of rules in docs/schema.md is stale: run UPDATE=1 cargo test the_table_of_rules"
    );
}
