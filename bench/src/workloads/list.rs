//! The workloads: what is asked of Parlour, and of the limit.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::choice::Chosen;
use super::clients::{Request, Requests};
use crate::limit::{AUDIENCE, CONVERSATIONS, PAGE, WALK};
use crate::wire::post;

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Workload {
    /// A page of users
    #[value(alias = "W1")]
    W1,
    /// The same, by platform and a part of the name
    #[value(alias = "W2")]
    W2,
    /// A user with sessions and messages
    #[value(alias = "W3")]
    W3,
    /// Users with sessions and messages
    #[value(alias = "W4")]
    W4,
    /// Page 5,000, by cursor
    #[value(alias = "W5")]
    W5,
    /// Page 5,000, by offset
    #[value(name = "w5o", alias = "W5o")]
    W5Offset,
    /// How many users there are on a platform with a part of the name
    #[value(alias = "W6")]
    W6,
    /// Another name for a user
    #[value(alias = "W7")]
    W7,
    /// All users of an agent with their sessions, page by page
    #[value(alias = "W8")]
    W8,
}

/// Ten fields of a user.
const USER: &str = "id name email platform platformId createdAt lastMessageAt totalSessions totalChatMessages totalMessagesSent";
const PAGE_INFO: &str = "pageInfo { hasNextPage endCursor }";
/// What is counted up in a request that has to differ from all before.
pub(super) const COUNTER: &str = "0000000000";

impl Workload {
    const ALL: [Self; 9] = [
        Self::W1,
        Self::W2,
        Self::W3,
        Self::W4,
        Self::W5,
        Self::W5Offset,
        Self::W6,
        Self::W7,
        Self::W8,
    ];

    /// Those that are named, in their order; all when none is.
    pub(super) fn of(named: &[Self]) -> Vec<Self> {
        let is_wanted = |one: &Self| named.is_empty() || named.contains(one);
        Self::ALL.into_iter().filter(is_wanted).collect()
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::W1 => "W1 users page",
            Self::W2 => "W2 the same by platform + name search",
            Self::W3 => "W3 a user, 10 sessions × 20 messages",
            Self::W4 => "W4 50 users × 5 sessions × 10 messages",
            Self::W5 => "W5 page 5,000 by cursor",
            Self::W5Offset => "W5 page 5,000 by offset",
            Self::W6 => "W6 count under platform + search",
            Self::W7 => "W7 update a name",
            Self::W8 => "W8 an agent's users with their sessions",
        }
    }

    /// Its name on the command line.
    pub(super) fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What share of the limit Parlour is to reach.
    pub(super) const fn target(self) -> Option<f64> {
        match self {
            Self::W1 | Self::W3 | Self::W4 | Self::W5 => Some(0.6),
            Self::W2 => Some(0.7),
            Self::W6 => Some(1.2),
            Self::W7 => Some(0.5),
            Self::W5Offset | Self::W8 => None,
        }
    }

    /// The document that Parlour is sent.
    pub(super) fn document(self) -> String {
        match self {
            Self::W1 => format!(
                "query Users($agent: ID!) {{ chatUsers(agentId: $agent, first: {PAGE}) {{ nodes {{ {USER} }} {PAGE_INFO} }} }}"
            ),
            Self::W2 => format!(
                "query Search($agent: ID!, $platform: Platform!, $term: String!) {{ \
                 chatUsers(agentId: $agent, platform: $platform, search: $term, first: {PAGE}) {{ nodes {{ {USER} }} {PAGE_INFO} }} }}"
            ),
            Self::W3 => format!(
                "query Conversations($user: ID!) {{ chatUser(id: $user) {{ {} }} }}",
                conversations(CONVERSATIONS)
            ),
            Self::W4 => format!(
                "query Audience($agent: ID!) {{ chatUsers(agentId: $agent, first: {}) {{ nodes {{ {} }} }} }}",
                AUDIENCE.0,
                conversations((AUDIENCE.1, AUDIENCE.2))
            ),
            Self::W5 => format!(
                "query Page($after: String!) {{ chatUsers(after: $after, first: {PAGE}) {{ nodes {{ {USER} }} {PAGE_INFO} }} }}"
            ),
            Self::W5Offset => format!(
                "query Page($offset: Int!) {{ chatUsers(offset: $offset, first: {PAGE}) {{ nodes {{ {USER} }} {PAGE_INFO} }} }}"
            ),
            Self::W6 => "query Count($agent: ID!, $platform: Platform!, $term: String!) { \
                         chatUsers(agentId: $agent, platform: $platform, search: $term) { totalCount } }"
                .to_owned(),
            Self::W7 => "mutation Rename($input: UpdateChatUserInput!) { \
                         updateChatUser(input: $input) { chatUser { id name } userErrors { code } } }"
                .to_owned(),
            Self::W8 => format!(
                "query Walk($agent: ID!, $after: String) {{ chatUsers(agentId: $agent, after: $after, first: {}) {{ \
                 nodes {{ id name lastMessageAt sessions(first: {}) {{ nodes {{ id startedAt endedAt totalMessages }} }} }} \
                 {PAGE_INFO} }} }}",
                WALK.0, WALK.1
            ),
        }
    }

    fn request(self, path: &str, variables: &Value) -> Request {
        let body = json!({ "query": self.document(), "variables": variables });
        let verb = if self == Self::W7 { "POST" } else { "GET" };
        Request {
            limit: format!(
                "{verb} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n"
            )
            .into_bytes(),
            parlour: post("/graphql", &body.to_string()),
        }
    }

    /// A page of a walk.
    pub(super) fn step(agent: &str, after: Option<&str>) -> Request {
        let after_query = after.map_or_else(String::new, |after| format!("&after={after}"));
        let path = format!("/walk?agent={agent}{after_query}");
        Self::W8.request(&path, &json!({ "agent": agent, "after": after }))
    }
}

fn conversations((sessions, messages): (usize, usize)) -> String {
    format!(
        "id name sessions(first: {sessions}) {{ nodes {{ id startedAt totalMessages \
         messages(first: {messages}) {{ nodes {{ id role text sentAt }} }} }} }}"
    )
}

impl Requests {
    /// All that clients ask in a workload, one after the other and from the start again.
    pub(super) fn of(workload: Workload, chosen: &Chosen) -> Self {
        let request = |path: String, variables: Value| workload.request(&path, &variables);
        let of_agent = |path: &str| {
            let agents = chosen.agents.iter();
            agents
                .map(|agent| request(format!("{path}?agent={agent}"), json!({ "agent": agent })))
                .collect()
        };
        let of_search = |path: &str| {
            let searches = chosen.searches.iter();
            searches
                .map(|(agent, platform, term)| {
                    let encoded: String =
                        url::form_urlencoded::byte_serialize(term.as_bytes()).collect();
                    request(
                        format!("{path}?agent={agent}&platform={platform}&search={encoded}"),
                        json!({ "agent": agent, "platform": platform, "term": term }),
                    )
                })
                .collect()
        };
        Self(match workload {
            Workload::W1 => of_agent("/users"),
            Workload::W2 => of_search("/search"),
            Workload::W3 => chosen
                .talkers
                .iter()
                .map(|user| {
                    request(
                        format!("/conversations?user={user}"),
                        json!({ "user": user }),
                    )
                })
                .collect(),
            Workload::W4 => of_agent("/audience"),
            Workload::W5 => chosen
                .cursors
                .iter()
                .map(|after| request(format!("/users?after={after}"), json!({ "after": after })))
                .collect(),
            Workload::W5Offset => chosen
                .offsets
                .iter()
                .map(|offset| {
                    request(
                        format!("/users?offset={offset}"),
                        json!({ "offset": offset }),
                    )
                })
                .collect(),
            Workload::W6 => of_search("/count"),
            Workload::W7 => chosen
                .users
                .iter()
                .map(|user| {
                    request(
                        format!("/rename?user={user}&name=Nadia+{COUNTER}"),
                        json!({ "input": { "id": user, "name": format!("Nadia {COUNTER}") } }),
                    )
                })
                .collect(),
            Workload::W8 => Vec::new(),
        })
    }
}
