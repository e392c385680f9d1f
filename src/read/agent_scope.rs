//! The agents that somebody may see, as a condition: what lies outside does not exist for them.

use sea_orm::Value;
use sea_orm::sea_query::{Expr, ExprTrait};

use crate::caller::Agents;
use crate::db::Rows;
use crate::db::dialect::Dialect;

/// How the rows of a table without an agent of its own tell theirs: by their user, whose id is in a column. As a value and not
/// as a join, so that it is a look-up by key for each row, whatever else a planner might think of.
macro_rules! of_user {
    ($user:literal) => {
        concat!(
            "(SELECT owner.agent_id FROM chat_users AS owner WHERE owner.id = ",
            $user,
            ")"
        )
    };
}
pub(super) use of_user;

/// That the agent of a row is one of these; `None` when it may be any. `agent` is SQL.
pub fn condition(agents: &Agents, agent: &'static str) -> Option<Expr> {
    let Agents::Only(agents) = agents else {
        return None;
    };
    Some(match **agents {
        [] => Expr::cust("1 = 0"),
        [only] => Expr::cust(agent).eq(only),
        _ => Expr::cust(agent).is_in(agents.iter().copied()),
    })
}

/// The same for a statement written by hand: the condition, and what is bound to its `placeholder`, if it has one.
pub fn written(
    agents: &Agents,
    dialect: Dialect,
    agent: &str,
    placeholder: &str,
) -> (String, Option<Value>) {
    let Agents::Only(agents) = agents else {
        return ("true".to_owned(), None);
    };
    let own = Rows::ids(agents.iter().copied());
    let ids = own.subquery(dialect, placeholder);
    let condition = format!("{agent} IN (SELECT own.id FROM {ids} AS own)");
    (condition, Some(own.into_value()))
}
