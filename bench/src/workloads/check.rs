//! Whether both sides answer the same. Nothing is measured that they do not.

use parlour::id::ObjectKind;
use serde_json::Value;
use uuid::Uuid;

use super::clients::{Request, Requests, counted, place_of_counter};
use super::list::Workload;
use super::server::Server;
use crate::Result;
use crate::bare::{Bind, Pool};
use crate::wire::Wire;

/// Asks both sides for everything that they will be asked.
pub(super) async fn same(
    workload: Workload,
    requests: &Requests,
    servers: &[Server; 2],
    pool: &Pool,
) -> Result<()> {
    if workload == Workload::W7 {
        return same_write(requests, servers, pool).await;
    }
    let mut wires = [
        Wire::connect(servers[0].address).await?,
        Wire::connect(servers[1].address).await?,
    ];
    for request in &requests.0 {
        both(request, &mut wires).await?;
    }
    Ok(())
}

/// What both sides answer.
pub(super) async fn both(request: &Request, wires: &mut [Wire; 2]) -> Result<Value> {
    let [limit, parlour] = wires;
    let limit = limit.ask(&request.limit).await?;
    let parlour = parlour.ask(&request.parlour).await?;
    let answer: Value = serde_json::from_slice(limit)?;
    if answer == serde_json::from_slice::<Value>(parlour)? {
        return Ok(answer);
    }
    let at = limit
        .iter()
        .zip(parlour)
        .take_while(|(limit, parlour)| limit == parlour)
        .count();
    let around = |bytes: &[u8]| {
        let part = &bytes[at.saturating_sub(80)..bytes.len().min(at + 200)];
        String::from_utf8_lossy(part).into_owned()
    };
    Err(format!(
        "the answers differ.\nasked: {}\nlimit: …{}\nParlour: …{}",
        String::from_utf8_lossy(&request.parlour),
        around(limit),
        around(parlour)
    )
    .into())
}

/// What a new name leaves behind: name, its key, the text that is searched, version, entries in the audit log.
type Left = (Option<String>, Option<String>, String, i64, i64);

/// Gives one user the same name by way of each side, and looks at what that left in the database.
async fn same_write(requests: &Requests, servers: &[Server; 2], pool: &Pool) -> Result<()> {
    let request = requests.0.first().ok_or("nobody to rename")?;
    let text = String::from_utf8_lossy(&request.limit).into_owned();
    let id = text
        .split_once("user=")
        .and_then(|(_, rest)| ObjectKind::ChatUser.decode(rest.split_once('&')?.0))
        .ok_or("no user in the request")?;
    let mut wires = [
        Wire::connect(servers[0].address).await?,
        Wire::connect(servers[1].address).await?,
    ];
    let mut before = left(pool, id).await?;
    let mut all = Vec::new();
    for side in 0..2 {
        let bytes = [&request.limit, &request.parlour][side];
        // Away from the name, and back to it.
        let place = place_of_counter(bytes);
        let other = counted(bytes, place.ok_or("no counter in the request")?);
        let mut answer = Value::Null;
        for bytes in [&other, bytes] {
            answer = serde_json::from_slice(wires[side].ask(bytes).await?)?;
            let now = left(pool, id).await?;
            if (now.3, now.4) != (before.3 + 1, before.4 + 1) {
                return Err(format!(
                    "a new name was not written once: {before:?}, {now:?}, {answer}"
                )
                .into());
            }
            before = now;
        }
        all.push((answer, before.0.clone(), before.1.clone(), before.2.clone()));
    }
    if all[0] != all[1] {
        return Err(format!("the two sides do not write the same: {all:?}").into());
    }
    Ok(())
}

async fn left(pool: &Pool, id: Uuid) -> Result<Left> {
    let sql = "SELECT name, name_key, search_text, version, \
               (SELECT COUNT(*) FROM audit_entries WHERE chat_user_id = chat_users.id) FROM chat_users WHERE id = $1";
    pool.one(sql, [Bind::Id(id)]).await
}
