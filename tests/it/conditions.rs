//! Conditions of `where`: null asks for nothing and is refused, and a change by condition needs one that restricts.

use serde_json::{Value, json};

use crate::harness::{Start, World, everywhere};

/// Fields and operators of conditions with null somewhere, and where it is.
const NULLS: [(&str, &str); 17] = [
    ("{ email: { eq: null } }", "email.eq"),
    ("{ email: { in: null } }", "email.in"),
    ("{ email: { notIn: null } }", "email.notIn"),
    ("{ name: { contains: null } }", "name.contains"),
    ("{ name: { startsWith: null } }", "name.startsWith"),
    ("{ name: { isNull: null } }", "name.isNull"),
    ("{ createdAt: { gt: null } }", "createdAt.gt"),
    ("{ totalSessions: { gte: null } }", "totalSessions.gte"),
    ("{ totalCost: { lt: null } }", "totalCost.lt"),
    ("{ platform: { eq: null } }", "platform.eq"),
    ("{ isAnonymous: { eq: null } }", "isAnonymous.eq"),
    ("{ tags: { hasAny: null } }", "tags.hasAny"),
    ("{ id: { eq: null } }", "id.eq"),
    ("{ email: null }", "email"),
    ("{ and: null }", "and"),
    ("{ not: { email: { eq: null } } }", "not.email.eq"),
    (
        "{ and: [{}, { or: [{ email: { eq: null } }] }] }",
        "and.1.or.0.email.eq",
    ),
];

async fn refused_at(world: &World, query: &str, variables: Value, path: &str) {
    let answer = world.ask_with(query, variables.clone()).await.body;
    let error = &answer["errors"][0];
    assert_eq!(
        error["extensions"]["code"], "BAD_USER_INPUT",
        "{query} {variables}: {answer}"
    );
    assert_eq!(
        error["extensions"]["argument"], path,
        "{query} {variables}: {answer}"
    );
    assert!(
        error["message"].as_str().unwrap().contains("isNull"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn null_operator_is_refused_with_its_path() {
    everywhere(Start::Audience, async |world| {
        let by_variable = "query ($where: ChatUserWhere) { chatUsers(where: $where) { totalCount } }";
        let change = "mutation ($input: TagChatUsersInput!) { tagChatUsers(input: $input) { count } }";
        for (conditions, path) in NULLS {
            let literal = format!("{{ chatUsers(where: {conditions}) {{ totalCount }} }}");
            refused_at(world, &literal, Value::Null, &format!("where.{path}")).await;
            let value: Value = serde_json::from_str(&quoted(conditions)).unwrap();
            refused_at(world, by_variable, json!({ "where": value }), &format!("$where.{path}")).await;
            let input = json!({ "agentId": "agent_00000000000000000000000000", "where": value, "tags": ["x"] });
            refused_at(world, change, json!({ "input": input }), &format!("$input.where.{path}")).await;
        }
    })
    .await;
}

/// A literal of GraphQL whose only words are names, `null` aside, as JSON.
fn quoted(literal: &str) -> String {
    let mut json = String::new();
    for word in literal.split(' ') {
        match word.strip_suffix(':') {
            Some(name) => json.extend(["\"", name, "\":"]),
            None => match word
                .strip_prefix("[{")
                .and_then(|rest| rest.strip_suffix(':'))
            {
                Some(name) => json.extend(["[{\"", name, "\":"]),
                None => json.push_str(word),
            },
        }
    }
    json
}

#[tokio::test(flavor = "multi_thread")]
async fn null_variable_in_a_condition_is_refused_and_an_absent_one_asks_for_nothing() {
    everywhere(Start::Audience, async |world| {
        for (query, path) in [
            ("query ($x: String) { chatUsers(where: { email: { eq: $x } }) { totalCount } }", "where.email.eq"),
            ("query ($x: String) { chatUsers { nodes { ...lists } } } fragment lists on ChatUser { messages(where: { or: [{ text: { contains: $x } }] }) { totalCount } }", "where.or.0.text.contains"),
            ("query ($x: StringFilter) { sessions(where: { subject: $x }) { totalCount } }", "where.subject"),
            ("query ($x: SessionStatus) { agents { nodes { sessions(where: { status: { eq: $x } }) { totalCount } } } }", "where.status.eq"),
            ("query ($x: AgentWhere) { agents(where: { not: $x }) { totalCount } }", "where.not"),
            ("query ($x: DateTime) { auditLog(where: { at: { gte: $x } }) { totalCount } }", "where.at.gte"),
        ] {
            refused_at(world, query, json!({ "x": null }), path).await;
            world.ask(query, json!({})).await;
            let by_default = query.replacen(") {", " = null) {", 1);
            refused_at(world, &by_default, json!({}), path).await;
        }
        // Null as the whole argument is the same as none.
        world.ask("{ chatUsers(where: null, first: null) { totalCount } }", Value::Null).await;
    })
    .await;
}

/// Conditions that hold for every user, whatever is in the database.
const EVERYONE: [&str; 20] = [
    "{}",
    "{ email: {} }",
    "{ and: [] }",
    "{ and: [{}, {}] }",
    "{ or: [{}, { email: { eq: \"a@example.org\" } }] }",
    "{ not: { or: [] } }",
    "{ not: { not: {} } }",
    "{ not: { email: { in: [] } } }",
    "{ not: { and: [{ email: { eq: \"a@example.org\" } }, { or: [] }] } }",
    "{ email: { notIn: [] } }",
    "{ id: { notIn: [] } }",
    "{ platformId: { contains: \"\" } }",
    "{ platformId: { startsWith: \"\" } }",
    "{ platformId: { isNull: false } }",
    "{ totalSessions: { notIn: [] } }",
    "{ not: { totalSessions: { in: [] } } }",
    "{ tags: { hasAll: [] } }",
    "{ not: { tags: { hasAny: [] } } }",
    "{ createdAt: { isNull: false } }",
    "{ and: [{ or: [{ tags: {} }, { name: { eq: \"Ann\" } }] }] }",
];

#[tokio::test(flavor = "multi_thread")]
async fn change_by_a_condition_that_holds_for_everyone_is_refused() {
    everywhere(Start::Audience, async |world| {
        let agents = world.ask("{ agents(first: 1) { nodes { id totalUsers } } }", Value::Null).await;
        let agent = agents["agents"]["nodes"][0].clone();
        for conditions in EVERYONE {
            let list = format!("query ($id: ID) {{ chatUsers(agentId: $id, where: {conditions}) {{ totalCount }} }}");
            let list = world.ask(&list, json!({ "id": agent["id"] })).await;
            assert_eq!(list["chatUsers"]["totalCount"], agent["totalUsers"], "{conditions}");
            for mutation in ["tagChatUsers", "untagChatUsers"] {
                for rest in ["", ", dryRun: true", ", expectedCount: 1"] {
                    let change = format!(
                        "mutation ($id: ID!) {{ {mutation}(input: {{ agentId: $id, where: {conditions}, tags: [\"x\"]{rest} }}) {{ count }} }}"
                    );
                    let answer = world.ask_with(&change, json!({ "id": agent["id"] })).await.body;
                    let error = &answer["errors"][0];
                    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{conditions}: {answer}");
                    assert!(error["message"].as_str().unwrap().contains("restricts"), "{answer}");
                }
            }
        }
        let left_out = "mutation ($id: ID!, $email: String) { tagChatUsers(input: { agentId: $id, where: { email: { eq: $email } }, tags: [\"x\"] }) { count } }";
        let answer = world.ask_with(left_out, json!({ "id": agent["id"] })).await.body;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        let tagged = world.ask("{ chatUsers(where: { tags: { has: \"x\" } }) { totalCount } }", Value::Null).await;
        assert_eq!(tagged["chatUsers"]["totalCount"], 0);
    })
    .await;
}
