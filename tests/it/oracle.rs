//! What a connection has to answer, worked out in memory from the whole list by the words of the Relay Cursor Connections
//! specification, beside what it does answer.

use parlour::clock::Timestamp;
use parlour::text;
use serde_json::{Value, json};

use crate::harness::World;
use crate::rng::SeededRng;

/// How many connections one request asks for at most.
const TOGETHER: usize = 30;

/// A list of the graph.
pub(crate) struct List {
    /// What stands before the arguments: `chatUser(id: "…") { list: sessions`.
    pub(crate) open: String,
    /// Arguments that are always given: `agentId: "…"`.
    pub(crate) fixed: String,
    /// What stands after the selection.
    pub(crate) close: &'static str,
    pub(crate) noun: &'static ObjectKind,
    /// Its orders; the default one is the first.
    pub(crate) orders: Vec<&'static Order>,
}

/// What lists of one kind of thing have in common.
pub(crate) struct ObjectKind {
    /// The fields that orders and conditions look at.
    pub(crate) fields: &'static str,
    pub(crate) conditions: &'static [Leaf],
}

/// A field to order by.
pub(crate) struct Order {
    pub(crate) word: &'static str,
    pub(crate) key: fn(&Value) -> Key,
    pub(crate) naturally_descending: bool,
}

/// What a row is ordered by: a number, or a text; none for a missing value.
pub(crate) type Key = Option<(i64, String)>;

/// Conditions on one field, and whether they hold for a node.
pub(crate) type Leaf = (&'static str, fn(&Value) -> bool);

/// A row of a list that is known whole.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) cursor: String,
    pub(crate) node: Value,
}

impl Row {
    pub(crate) fn id(&self) -> &str {
        self.node["id"].as_str().unwrap()
    }
}

/// A list in one order and direction.
pub(crate) type Way = (usize, bool);

/// A list, whole, in each of its orders: at `2 * order`, and descending beside it.
pub(crate) struct Whole(pub(crate) Vec<Vec<Row>>);

impl Whole {
    pub(crate) fn rows(&self, (order, descending): Way) -> &[Row] {
        &self.0[2 * order + usize::from(descending)]
    }
}

pub(crate) fn number(node: &Value, field: &str) -> Key {
    node[field].as_i64().map(|value| (value, String::new()))
}

pub(crate) fn time(node: &Value, field: &str) -> Key {
    micros(node, field).map(|value| (value, String::new()))
}

pub(crate) fn name(node: &Value) -> Key {
    let key = text::key(node["name"].as_str()?)?;
    Some((0, key))
}

/// A time of a node, comparable.
pub(crate) fn micros(node: &Value, field: &str) -> Option<i64> {
    node[field]
        .as_str()
        .map(|text| Timestamp::parse(text).unwrap().0)
}

/// Puts rows in order: missing values last in both directions, ties by id in the direction.
pub(crate) fn sort(rows: &mut [Row], order: &Order, descending: bool) {
    let turned = |ordering: std::cmp::Ordering| {
        if descending {
            ordering.reverse()
        } else {
            ordering
        }
    };
    rows.sort_by(|a, b| {
        let keys = match ((order.key)(&a.node), (order.key)(&b.node)) {
            (Some(a), Some(b)) => turned(a.cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        keys.then_with(|| turned(a.id().cmp(b.id())))
    });
}

/// A `where`: its text, and whether it holds.
pub(crate) enum Where {
    Leaf(Leaf),
    And(Vec<Where>),
    Or(Vec<Where>),
    Not(Box<Where>),
}

impl Where {
    fn roll(dice: &mut SeededRng, leaves: &[Leaf], depth: usize) -> Self {
        let several = |dice: &mut SeededRng| {
            (0..dice.below(4))
                .map(|_| Self::roll(dice, leaves, depth - 1))
                .collect()
        };
        match if depth == 0 { 3 } else { dice.below(6) } {
            0 => Self::And(several(dice)),
            1 => Self::Or(several(dice)),
            2 => Self::Not(Box::new(Self::roll(dice, leaves, depth - 1))),
            _ => Self::Leaf(*dice.pick(leaves)),
        }
    }

    fn text(&self) -> String {
        let list = |items: &[Self]| items.iter().map(Self::text).collect::<Vec<_>>().join(", ");
        match self {
            Self::Leaf((text, _)) => format!("{{{text}}}"),
            Self::And(items) => format!("{{and: [{}]}}", list(items)),
            Self::Or(items) => format!("{{or: [{}]}}", list(items)),
            Self::Not(item) => format!("{{not: {}}}", item.text()),
        }
    }

    fn holds(&self, node: &Value) -> bool {
        match self {
            Self::Leaf((_, holds)) => holds(node),
            Self::And(items) => items.iter().all(|item| item.holds(node)),
            Self::Or(items) => items.iter().any(|item| item.holds(node)),
            Self::Not(item) => !item.holds(node),
        }
    }
}

/// The arguments of one connection. Cursors are those of rows of the whole list, by their places in it.
pub(crate) struct Arguments {
    pub(crate) text: String,
    pub(crate) way: Way,
    size: usize,
    backward: bool,
    offset: usize,
    after: Option<usize>,
    before: Option<usize>,
    r#where: Option<Where>,
}

/// An argument that is absent, or null, which is the same.
fn absent(dice: &mut SeededRng, word: &str, text: &mut Vec<String>) {
    if dice.once_in(4) {
        text.push(format!("{word}: null"));
    }
}

impl Arguments {
    /// Any arguments.
    pub(crate) fn roll(dice: &mut SeededRng, list: &List, whole: &Whole) -> Self {
        let mut text = Vec::new();
        if !list.fixed.is_empty() {
            text.push(list.fixed.clone());
        }
        let way = Self::roll_way(dice, list, &mut text);
        let rows = whole.rows(way);
        let sizes = [0, 1, 2, 3, 7, 20, 100];
        let (size, backward) = match dice.below(5) {
            0 => (20, false),
            1 | 2 => (*dice.pick(&sizes), true),
            _ => (*dice.pick(&sizes), false),
        };
        let words = if backward {
            ("last", "first")
        } else {
            ("first", "last")
        };
        if size == 20 && !backward {
            absent(dice, words.0, &mut text);
        } else {
            text.push(format!("{}: {size}", words.0));
        }
        absent(dice, words.1, &mut text);
        let mut place = |dice: &mut SeededRng, word: &str| {
            if rows.is_empty() || dice.below(5) < 2 {
                absent(dice, word, &mut text);
                return None;
            }
            let at = match dice.below(6) {
                0 => 0,
                1 => rows.len() - 1,
                _ => dice.below(rows.len()),
            };
            text.push(format!("{word}: \"{}\"", rows[at].cursor));
            Some(at)
        };
        let after = place(dice, "after");
        let before = place(dice, "before");
        let offset = match dice.below(6) {
            0 => 0,
            1 => dice.below(4),
            2 => dice.below(rows.len() + 3),
            _ => {
                absent(dice, "offset", &mut text);
                usize::MAX
            }
        };
        if offset < usize::MAX {
            text.push(format!("offset: {offset}"));
        }
        let depth = dice.below(4);
        let r#where = (!dice.once_in(3)).then(|| Where::roll(dice, list.noun.conditions, depth));
        match &r#where {
            Some(r#where) => text.push(format!("where: {}", r#where.text())),
            None => absent(dice, "where", &mut text),
        }
        Self {
            text: text.join(", "),
            way,
            size,
            backward,
            offset: offset % usize::MAX,
            after,
            before,
            r#where,
        }
    }

    fn roll_way(dice: &mut SeededRng, list: &List, text: &mut Vec<String>) -> Way {
        let order = dice.below(list.orders.len());
        let &Order {
            word,
            naturally_descending,
            ..
        } = list.orders[order];
        if order == 0 && dice.once_in(2) {
            absent(dice, "orderBy", text);
            return (order, naturally_descending);
        }
        match dice.below(6) {
            0 => {
                text.push(format!("orderBy: {{field: {word}}}"));
                (order, naturally_descending)
            }
            1 => {
                text.push(format!("orderBy: {{field: {word}, direction: null}}"));
                (order, naturally_descending)
            }
            other => {
                let descending = other % 2 == 0;
                text.push(format!(
                    "orderBy: {{field: {word}, direction: {}}}",
                    direction(descending)
                ));
                (order, descending)
            }
        }
    }

    /// What the connection answers, out of the rows of the whole list that are `mine`.
    ///
    /// `hasPreviousPage` of a page that is counted from the start, and `hasNextPage` of one counted from the end, are
    /// told exactly: what lies on the far side of the cursor, or was skipped, comes before the page.
    pub(crate) fn expected(&self, rows: &[Row], mine: impl Fn(&Row) -> bool) -> Value {
        let all: Vec<usize> = (0..rows.len())
            .filter(|&at| {
                mine(&rows[at])
                    && self
                        .r#where
                        .as_ref()
                        .is_none_or(|w| w.holds(&rows[at].node))
            })
            .collect();
        let left_out_before = |at: usize| self.after.is_some_and(|after| at <= after);
        let left_out_after = |at: usize| self.before.is_some_and(|before| at >= before);
        let between: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&at| !left_out_before(at) && !left_out_after(at))
            .collect();
        let skipped = self.offset.min(between.len());
        let count = self.size.min(between.len() - skipped);
        let more = between.len() > skipped + count;
        let (page, has_previous, has_next) = if self.backward {
            let end = between.len() - skipped;
            let passed = skipped > 0 || all.iter().any(|&at| left_out_after(at));
            (&between[end - count..end], more, passed)
        } else {
            let passed = skipped > 0 || all.iter().any(|&at| left_out_before(at));
            (&between[skipped..skipped + count], passed, more)
        };
        let page: Vec<&Row> = page.iter().map(|&at| &rows[at]).collect();
        let node = |row: &&Row| json!({ "id": row.id() });
        json!({
            "edges": page.iter().map(|row| json!({ "cursor": row.cursor, "node": node(row) })).collect::<Vec<_>>(),
            "nodes": page.iter().map(node).collect::<Vec<_>>(),
            "pageInfo": {
                "hasNextPage": has_next,
                "hasPreviousPage": has_previous,
                "startCursor": page.first().map(|row| &row.cursor),
                "endCursor": page.last().map(|row| &row.cursor),
            },
            "totalCount": all.len(),
        })
    }
}

/// The selection that [`Arguments::expected`] expects the answer of.
pub(crate) const SELECTION: &str = "{ edges { cursor node { id } } nodes { id } \
     pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount }";

pub(crate) const fn direction(descending: bool) -> &'static str {
    if descending { "DESC" } else { "ASC" }
}

/// Asks for many connections, a number of them in one request; their answers in the same order.
pub(crate) async fn ask(
    world: &World,
    list: &List,
    arguments: &[String],
    selection: &str,
) -> Vec<Value> {
    let mut answers = Vec::with_capacity(arguments.len());
    for some in arguments.chunks(TOGETHER) {
        let fields: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(at, arguments)| {
                let arguments = if arguments.is_empty() {
                    String::new()
                } else {
                    format!("({arguments})")
                };
                format!("a{at}: {}{arguments} {selection}{}", list.open, list.close)
            })
            .collect();
        let mut data = world
            .ask(&format!("{{ {} }}", fields.join("\n")), Value::Null)
            .await;
        for at in 0..some.len() {
            let answer = data[format!("a{at}")].take();
            answers.push(match answer.get("list") {
                Some(list) => list.clone(),
                None => answer,
            });
        }
    }
    answers
}

/// Walks a list from one end to the other in all of its orders, page by page, and gives its rows in list order.
pub(crate) async fn walk(world: &World, list: &List, size: usize, forward: bool) -> Whole {
    let selection = format!(
        "{{ edges {{ cursor node {{ {} }} }} pageInfo {{ hasNextPage hasPreviousPage }} totalCount }}",
        list.noun.fields
    );
    let mut whole: Vec<Vec<Row>> = list.orders.iter().flat_map(|_| [vec![], vec![]]).collect();
    let mut underway: Vec<usize> = (0..whole.len()).collect();
    while !underway.is_empty() {
        let arguments: Vec<_> = underway
            .iter()
            .map(|&at| {
                let order = list.orders[at / 2].word;
                let way = direction(at % 2 == 1);
                let (count, from) = if forward {
                    ("first", ("after", whole[at].last()))
                } else {
                    ("last", ("before", whole[at].first()))
                };
                let from = from.1.map_or(String::new(), |row| {
                    format!(", {}: \"{}\"", from.0, row.cursor)
                });
                let fixed = &list.fixed;
                format!(
                    "{fixed} {count}: {size}, orderBy: {{field: {order}, direction: {way}}}{from}"
                )
            })
            .collect();
        let answers = ask(world, list, &arguments, &selection).await;
        let mut going_on = Vec::new();
        for (at, mut answer) in underway.into_iter().zip(answers) {
            let edges = answer["edges"].as_array_mut().unwrap();
            let mut page: Vec<Row> = edges
                .iter_mut()
                .map(|edge| Row {
                    cursor: edge["cursor"].as_str().unwrap().to_owned(),
                    node: edge["node"].take(),
                })
                .collect();
            let more = if forward {
                whole[at].append(&mut page);
                &answer["pageInfo"]["hasNextPage"]
            } else {
                page.append(&mut whole[at]);
                whole[at] = page;
                &answer["pageInfo"]["hasPreviousPage"]
            };
            if more.as_bool().unwrap() {
                going_on.push(at);
            } else {
                assert_eq!(
                    answer["totalCount"].as_u64(),
                    Some(whole[at].len() as u64),
                    "rows met in {}",
                    list.open
                );
            }
        }
        underway = going_on;
    }
    Whole(whole)
}
