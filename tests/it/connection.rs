//! Every connection, in every order, against a list in memory and the Relay Cursor Connections specification.

use std::collections::{BTreeMap, HashMap, HashSet};

use parlour::db::{Transaction, TransactionError, UnitOfWork};
use parlour::id;
use parlour::write::apply;
use parlour::write::verify::repair;
use sea_orm::Value as SqlValue;
use sea_orm::prelude::Uuid;
use serde_json::Value;

use crate::audience::{
    agent, busy, crowd, every_list, history_and_agents, messages_of, sessions_of, users_of,
};
use crate::harness::{Start, World, everywhere};
use crate::oracle::{Arguments, List, Row, SELECTION, Whole, ask, direction, sort, walk};
use crate::rng::SeededRng;

/// How many random pages of each list are compared.
const PAGES: usize = 270;

#[tokio::test(flavor = "multi_thread")]
async fn walks_meet_every_row_exactly_once_and_in_order() {
    everywhere(Start::Audience, async |world| {
        fill(world).await;
        let costs = costs(world).await;
        for list in every_list(world).await {
            let mut forward = walk(world, &list, 37, true).await;
            let backward = walk(world, &list, 23, false).await;
            for (at, rows) in forward.0.iter_mut().enumerate() {
                let (order, descending) = (list.orders[at / 2], at % 2 == 1);
                let place = format!("{} by {} {}", list.open, order.word, direction(descending));
                assert!(rows.len() > 40, "{place} is a short list");
                assert!(
                    rows.iter()
                        .map(cursor)
                        .eq(backward.0[at].iter().map(cursor)),
                    "{place}: backward is another list than forward"
                );
                for row in rows.iter_mut() {
                    let cost = costs.get(row.id());
                    row.node["cost"] = cost.copied().into();
                }
                let mut sorted = rows.clone();
                sort(&mut sorted, order, descending);
                assert_eq!(ids(rows), ids(&sorted), "{place}");
                let different: HashSet<_> = rows.iter().map(Row::id).collect();
                assert_eq!(different.len(), rows.len(), "{place} has a row twice");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_page_of_any_list_is_what_the_specification_says() {
    everywhere(Start::Audience, async |world| {
        fill(world).await;
        let mut dice = SeededRng::new(2);
        for list in every_list(world).await {
            let whole = walk(world, &list, 100, true).await;
            compare(world, &list, &whole, PAGES, &mut dice, |_| true).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_page_of_many_parents_is_what_the_specification_says_for_each() {
    everywhere(Start::Audience, async |world| {
        fill(world).await;
        let agent = agent(world).await;
        let mut dice = SeededRng::new(3);
        // A cursor belongs to an order and not to one list: those of the agent's list are good for each user's.
        let sessions = sessions_of(&agent);
        let whole = walk(world, &sessions, 100, true).await;
        let nested = List {
            open: format!("agent(id: \"{agent}\") {{ list: chatUsers(first: 100) {{ nodes {{ id list: sessions"),
            fixed: String::new(),
            close: " } } }",
            ..sessions
        };
        compare_each(world, &nested, &whole, 30, &mut dice, "chatUser").await;

        let user = busy(world, &agent).await;
        let messages = messages_of(&user);
        let whole = walk(world, &messages, 100, true).await;
        let nested = List {
            open: format!("chatUser(id: \"{user}\") {{ list: sessions(first: 100) {{ nodes {{ id list: messages"),
            close: " } } }",
            ..messages
        };
        compare_each(world, &nested, &whole, 30, &mut dice, "session").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_meet_every_row_that_stays_exactly_once_while_others_come_and_go() {
    everywhere(Start::Audience, async |world| {
        fill(world).await;
        let mut dice = SeededRng::new(4);
        let mut comers = 10_000;
        let list = users_of(&agent(world).await);
        for order in 0..list.orders.len() {
            for (forward, descending) in
                [(true, true), (true, false), (false, true), (false, false)]
            {
                walk_under_writes(
                    world,
                    &list,
                    (order, descending),
                    forward,
                    &mut dice,
                    &mut comers,
                )
                .await;
            }
        }
    })
    .await;
}

/// Compares random pages of a list, of whose rows those are in it that are `mine`.
pub(crate) async fn compare(
    world: &World,
    list: &List,
    whole: &Whole,
    pages: usize,
    dice: &mut SeededRng,
    mine: impl Fn(&Row) -> bool,
) {
    let pages: Vec<_> = (0..pages)
        .map(|_| Arguments::roll(dice, list, whole))
        .collect();
    let texts: Vec<_> = pages.iter().map(|page| page.text.clone()).collect();
    let answers = ask(world, list, &texts, SELECTION).await;
    for (page, answer) in pages.iter().zip(answers) {
        let expected = page.expected(whole.rows(page.way), &mine);
        same(&answer, &expected, list, page);
    }
}

/// Compares random pages of the lists of many parents, whose rows name theirs in a field.
async fn compare_each(
    world: &World,
    list: &List,
    whole: &Whole,
    pages: usize,
    dice: &mut SeededRng,
    parent: &str,
) {
    let pages: Vec<_> = (0..pages)
        .map(|_| Arguments::roll(dice, list, whole))
        .collect();
    let texts: Vec<_> = pages.iter().map(|page| page.text.clone()).collect();
    for (page, answer) in pages.iter().zip(ask(world, list, &texts, SELECTION).await) {
        let parents = answer["nodes"].as_array().unwrap();
        assert!(parents.len() > 30);
        for one in parents {
            let mine = |row: &Row| row.node[parent]["id"] == one["id"];
            let expected = page.expected(whole.rows(page.way), mine);
            same(&one["list"], &expected, list, page);
        }
    }
}

fn same(answer: &Value, expected: &Value, list: &List, page: &Arguments) {
    assert!(
        answer == expected,
        "{}({})\nanswers {answer:#}\ninstead of {expected:#}",
        list.open,
        page.text
    );
}

/// Walks a list, and between its pages takes users away and adds others.
async fn walk_under_writes(
    world: &World,
    list: &List,
    (order, descending): (usize, bool),
    forward: bool,
    dice: &mut SeededRng,
    comers: &mut usize,
) {
    // Rows that were removed beneath the figures that are stored of them.
    repair(&world.database.writer).await.unwrap();
    let mut stay: BTreeMap<String, usize> = everyone(world).await;
    let (count, from, more) = if forward {
        ("first", "after", "hasNextPage")
    } else {
        ("last", "before", "hasPreviousPage")
    };
    let order = format!(
        "orderBy: {{field: {}, direction: {}}}",
        list.orders[order].word,
        direction(descending)
    );
    let mut place = String::new();
    loop {
        let arguments = format!("{} {order}, {count}: 29{place}", list.fixed);
        let answer = ask(world, list, std::slice::from_ref(&arguments), SELECTION)
            .await
            .remove(0);
        let edges = answer["edges"].as_array().unwrap();
        for edge in edges {
            if let Some(met) = stay.get_mut(edge["node"]["id"].as_str().unwrap()) {
                *met += 1;
            }
        }
        if answer["pageInfo"][more] == false {
            break;
        }
        let end = if forward { edges.last() } else { edges.first() }.unwrap();
        place = format!(", {from}: {}", end["cursor"]);

        // The row that the cursor names goes, and some from anywhere.
        let mut gone = vec![end["node"]["id"].as_str().unwrap().to_owned()];
        let left: Vec<_> = stay.keys().cloned().collect();
        gone.extend((0..2).map(|_| dice.pick(&left).clone()));
        for id in &gone {
            stay.remove(id);
        }
        remove(world, &gone).await;
        apply(&world.database.writer, &crowd(dice, *comers..*comers + 3))
            .await
            .unwrap();
        *comers += 3;
    }
    let wrong: Vec<_> = stay.iter().filter(|(_, met)| **met != 1).collect();
    assert!(
        wrong.is_empty(),
        "{order} {count}: met not once but {wrong:?}"
    );
}

/// The users of the agent, each met zero times.
async fn everyone(world: &World) -> BTreeMap<String, usize> {
    let list = users_of(&agent(world).await);
    let list = List {
        orders: vec![list.orders[2]],
        ..list
    };
    let whole = walk(world, &list, 100, true).await;
    whole.0[0]
        .iter()
        .map(|row| (row.id().to_owned(), 0))
        .collect()
}

/// Deletes users with all that belongs to them.
async fn remove(world: &World, users: &[String]) {
    let users = users
        .iter()
        .map(|user| id::ObjectKind::ChatUser.decode(user).unwrap());
    let removal = Removal(users.collect());
    world.database.writer.transaction(&removal).await.unwrap();
}

struct Removal(Vec<Uuid>);

impl UnitOfWork for Removal {
    type Output = ();

    async fn run(&self, transaction: &Transaction) -> Result<(), TransactionError> {
        for &user in &self.0 {
            for table in [
                "messages WHERE chat_user_id",
                "sessions WHERE chat_user_id",
                "chat_users WHERE id",
            ] {
                let sql = format!("DELETE FROM {table} = $1");
                let statement = transaction.dialect().raw(sql, [SqlValue::from(user)]);
                transaction.execute(statement).await?;
            }
        }
        Ok(())
    }
}

/// Fills a world with crowds.
async fn fill(world: &World) {
    let mut dice = SeededRng::new(1);
    let mut events = crowd(&mut dice, 0..150);
    events.extend(history_and_agents(&mut dice));
    apply(&world.database.writer, &events).await.unwrap();
}

/// What it cost to serve each user, which no field tells.
async fn costs(world: &World) -> HashMap<String, i64> {
    let reader = &world.database.reader;
    let sql = "SELECT id, total_cost_micros FROM chat_users";
    let rows = reader.rows(reader.dialect().raw(sql, [])).await.unwrap();
    rows.iter()
        .map(|row| {
            let id = id::ObjectKind::ChatUser.encode(row.try_get("", "id").unwrap());
            (id, row.try_get("", "total_cost_micros").unwrap())
        })
        .collect()
}

fn cursor(row: &Row) -> &str {
    &row.cursor
}

fn ids(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(Row::id).collect()
}
