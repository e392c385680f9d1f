//! A walk through the whole audience of an agent, a hundred rows a page.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parlour::entity::chat_user;
use parlour::read::page::Position;
use serde_json::Value;

use crate::Result;
use crate::shapes::measure::Sides;
use crate::shapes::sample::Sample;
use crate::shapes::task::{Task, Users};
use crate::shapes::{by_hand, list, question};
use crate::store::Store;

/// Rows of a page.
const PAGE: u64 = 100;

/// What came of the walks.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) rows: usize,
    pub(crate) pages: u32,
    /// Rows that came more than once, or never.
    pub(crate) wrong: i64,
    pub(crate) ours: Duration,
    pub(crate) bare: Duration,
    pub(crate) ours_http: Duration,
    pub(crate) hand_http: Duration,
}

/// A way to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Ours,
    Bare,
    OursHttp,
    HandHttp,
}

/// Walks by all four ways, page by page in turns.
pub(crate) async fn walk(store: &Store, sides: &mut Sides, sample: &Sample) -> Result<Walk> {
    let mut walk = Walk::default();
    let mut users = list::page_of(sample.agent);
    users.page.size = PAGE;
    let mut met = HashSet::new();
    loop {
        let task = Task::Users(users.clone());
        let body = question::body(&task);
        walk.pages += 1;
        let mut answer = Value::Null;
        for way in [Way::Ours, Way::Bare, Way::OursHttp, Way::HandHttp] {
            let start = Instant::now();
            match way {
                Way::Ours => {
                    let bytes = sides.ask(&body, Arc::default()).await?;
                    walk.ours += start.elapsed();
                    answer = serde_json::from_slice(&bytes)?;
                }
                Way::Bare => {
                    std::hint::black_box(by_hand::answer(&store.pool, &task).await?);
                    walk.bare += start.elapsed();
                }
                Way::OursHttp => {
                    std::hint::black_box(sides.ask_parlour(&body).await?);
                    walk.ours_http += start.elapsed();
                }
                Way::HandHttp => {
                    std::hint::black_box(sides.ask_by_hand(&task).await?);
                    walk.hand_http += start.elapsed();
                }
            }
        }
        if !turn(&mut users, &answer, &mut met, &mut walk)? {
            break;
        }
    }
    walk.wrong += sample.users - i64::try_from(met.len())?;
    Ok(walk)
}

/// Takes note of a page, and sets out for the next one if there is one.
fn turn(
    users: &mut Users,
    answer: &Value,
    met: &mut HashSet<String>,
    walk: &mut Walk,
) -> Result<bool> {
    let list = &answer["data"]["chatUsers"];
    for node in list["nodes"].as_array().ok_or("a page without nodes")? {
        walk.rows += 1;
        if !met.insert(node["id"].as_str().unwrap_or_default().to_owned()) {
            walk.wrong += 1;
        }
    }
    if list["pageInfo"]["hasNextPage"] != true {
        return Ok(false);
    }
    let cursor = list["pageInfo"]["endCursor"].as_str().unwrap_or_default();
    let place = Position::decode::<chat_user::Entity>(cursor, users.page.order)?;
    users.page.after = Some(place.into());
    Ok(true)
}
