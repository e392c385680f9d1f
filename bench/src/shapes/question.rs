//! A task as the GraphQL request that a client would send for it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::shapes::answer::{Cursor, Session, User};
use crate::shapes::task::{Listed, Page, Search, Task, Users};

/// The body of the request.
pub(crate) fn body(task: &Task) -> String {
    let mut arguments = Arguments::default();
    let selection = selection(task, &mut arguments);
    let Arguments {
        declared,
        variables,
        ..
    } = arguments;
    let query = format!("query ({declared}) {{ {selection} }}");
    json!({ "query": query, "variables": variables }).to_string()
}

fn selection(task: &Task, arguments: &mut Arguments) -> String {
    match task {
        Task::Users(users) => table(users, arguments),
        Task::Facets { agent } => {
            arguments.add("agentId", "ID!", agent.text());
            format!(
                "chatUsers({}) {{ facets {{ platform {{ value count }} }} }}",
                arguments.given()
            )
        }
        Task::Audience {
            agent,
            users,
            sessions,
            messages,
        } => {
            arguments.add("agentId", "ID!", agent.text());
            arguments.add("first", "Int", *users);
            format!(
                "chatUsers({}) {{ nodes {{ {} }} }}",
                arguments.given(),
                conversations(*sessions, *messages)
            )
        }
        Task::User { user } => {
            arguments.add("id", "ID!", user.text());
            format!("chatUser({}) {{ {} }}", arguments.given(), User::FIELDS)
        }
        Task::UserByPlatformId {
            agent,
            platform,
            platform_id,
        } => {
            arguments.add("agentId", "ID!", agent.text());
            arguments.add("platform", "Platform!", platform.as_str());
            arguments.add("platformId", "String!", platform_id.as_str());
            format!(
                "chatUserByPlatformId({}) {{ {} }}",
                arguments.given(),
                User::FIELDS
            )
        }
        Task::History { user, page } => {
            arguments.add("id", "ID!", user.text());
            let user = arguments.given();
            let sessions = arguments.page(page, "SessionOrder");
            format!(
                "chatUser({user}) {{ id name sessions({sessions}) {{ nodes {{ {} }} {} }} }}",
                Session::FIELDS,
                ends(page)
            )
        }
        Task::Conversations {
            user,
            sessions,
            messages,
        } => {
            arguments.add("id", "ID!", user.text());
            format!(
                "chatUser({}) {{ {} }}",
                arguments.given(),
                conversations(*sessions, *messages)
            )
        }
        Task::Sessions { agent, page } => {
            arguments.add("agentId", "ID!", agent.text());
            format!(
                "sessions({}) {{ nodes {{ {} }} {} }}",
                arguments.page(page, "SessionOrder"),
                Session::FIELDS,
                ends(page)
            )
        }
    }
}

fn table(users: &Users, arguments: &mut Arguments) -> String {
    if let Some(agent) = users.agent {
        arguments.add("agentId", "ID!", agent.text());
    }
    if let Some(platform) = &users.platform {
        arguments.add("platform", "Platform", platform.as_str());
    }
    match &users.search {
        None => {}
        Some(Search::Text(text) | Search::Email(text)) => {
            arguments.add("search", "String", text.as_str());
        }
        Some(Search::Id(id)) => arguments.add("search", "String", id.text()),
    }
    let count = if users.total_count { "totalCount" } else { "" };
    format!(
        "chatUsers({}) {{ {count} nodes {{ {} }} {} }}",
        arguments.page(&users.page, "ChatUserOrder"),
        User::FIELDS,
        ends(&users.page)
    )
}

fn conversations(sessions: u64, messages: u64) -> String {
    format!(
        "id name sessions(first: {sessions}) {{ nodes {{ id startedAt totalMessages \
         messages(first: {messages}) {{ nodes {{ id role text sentAt }} }} }} }}"
    )
}

const fn ends<F>(page: &Page<F>) -> &'static str {
    if page.backward {
        "pageInfo { hasPreviousPage startCursor }"
    } else {
        "pageInfo { hasNextPage endCursor }"
    }
}

/// Arguments of fields, all of them variables.
#[derive(Default)]
struct Arguments {
    declared: String,
    given: String,
    variables: Map<String, Value>,
}

impl Arguments {
    fn add(&mut self, name: &str, kind: &str, value: impl Into<Value>) {
        write!(self.declared, "${name}: {kind} ").ok();
        write!(self.given, "{name}: ${name} ").ok();
        self.variables.insert(name.to_owned(), value.into());
    }

    /// The arguments of one field.
    fn given(&mut self) -> String {
        std::mem::take(&mut self.given)
    }

    fn page<F: Listed>(&mut self, page: &Page<F>, order: &str) -> String {
        let size = if page.backward { "last" } else { "first" };
        self.add(size, "Int", page.size);
        let direction = if page.order.descending { "DESC" } else { "ASC" };
        let value = json!({ "field": page.order.field.word(), "direction": direction });
        self.add("orderBy", order, value);
        if page.offset > 0 {
            self.add("offset", "Int", page.offset);
        }
        if let Some(place) = page.after.clone() {
            let cursor: Cursor = F::cursor(page.order, place);
            self.add("after", "String", json!(cursor));
        }
        self.given()
    }
}
