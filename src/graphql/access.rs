//! Who may ask for what: the rule of every field, in one table.
//!
//! A document is held against it before it runs (`http/access`). What is forgotten here is nobody's but an administrator's, and
//! a test names it. Beneath it `Noun::visible` and `write::authorized` look again, whatever way a request has come.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use sea_orm::Iterable;

use crate::caller::Permission::{
    self, AgentsWrite, AuditRead, EventsWrite, FiguresRead, MessagesRead, TokensWrite, UsersDelete,
    UsersRead, UsersWrite,
};
use crate::caller::Permissions;

/// What something takes: of each of these lists one permission.
pub type Rule = &'static [&'static [Permission]];

const FREE: Rule = &[];
const USERS: Rule = &[&[UsersRead]];
const AGENTS: Rule = &[&[UsersRead, EventsWrite, AgentsWrite]];
const BLOCKS: Rule = &[&[UsersRead, EventsWrite]];
const DELETIONS: Rule = &[&[UsersRead], &[UsersDelete]];
const FIGURES: Rule = &[&[FiguresRead]];
const AUDIT: Rule = &[&[AuditRead]];
const TOKENS: Rule = &[&[TokensWrite]];
const TEXTS: Rule = &[&[MessagesRead]];

/// Types that have the same rule; the rule of all their members, none when each is named; and what some members take beyond it.
/// An object also takes it of the field that leads to it. A list (`…Connection`, `…Edge`) has the rule of what it lists.
type Line = (
    &'static [&'static str],
    Option<Rule>,
    &'static [(Rule, &'static [&'static str])],
);

const RULES: &[Line] = &[
    // Where questions and changes start: each has to be named.
    (
        &["Query"],
        None,
        &[
            // They find nothing that one may not see.
            (FREE, &["node", "nodes"]),
            // About themselves one may always ask.
            (FREE, &["viewer"]),
            (AGENTS, &["agent", "agents"]),
            (
                USERS,
                &[
                    "chatUser",
                    "chatUserByPlatformId",
                    "chatUsers",
                    "mergePreview",
                    "session",
                    "sessions",
                ],
            ),
            (BLOCKS, &["blockStatus"]),
            (DELETIONS, &["deletion", "deletions", "erasureCheck"]),
            (AUDIT, &["auditLog"]),
            (TOKENS, &["tokens"]),
        ],
    ),
    (
        &["Mutation"],
        None,
        &[
            (&[&[EventsWrite]], &["recordMessages"]),
            (
                &[&[AgentsWrite]],
                &[
                    "archiveAgent",
                    "createAgent",
                    "unarchiveAgent",
                    "updateAgent",
                ],
            ),
            (
                &[&[UsersWrite]],
                &[
                    "blockChatUser",
                    "mergeChatUsers",
                    "setChatUserStopped",
                    "subscribeChatUser",
                    "tagChatUsers",
                    "unblockChatUser",
                    "unsubscribeChatUser",
                    "untagChatUsers",
                    "updateChatUser",
                    "updateChatUserSettings",
                    "updateChatUsers",
                ],
            ),
            (
                &[&[UsersDelete]],
                &[
                    "deleteChatUser",
                    "redactMessage",
                    "removeMessage",
                    "restoreChatUser",
                ],
            ),
            (TOKENS, &["createToken", "revokeToken"]),
        ],
    ),
    // Nouns, and what hangs on them.
    (&["Node"], Some(FREE), &[]),
    (
        &["Agent"],
        Some(AGENTS),
        &[(
            FIGURES,
            &["totalCost", "totalMessages", "totalSessions", "totalUsers"],
        )],
    ),
    (
        &["ChatUser", "MergedChatUser"],
        Some(USERS),
        &[(
            FIGURES,
            &[
                "totalChatMessages",
                "totalCost",
                "totalMessagesSent",
                "totalSessions",
            ],
        )],
    ),
    (
        &["Session"],
        Some(USERS),
        &[(
            FIGURES,
            &["totalCost", "totalMessages", "totalMessagesFromUser"],
        )],
    ),
    (&["Message"], Some(USERS), &[(FIGURES, &["cost", "tokens"])]),
    (
        &[
            "Attachment",
            "ChatUserSubscription",
            "MergeConflict",
            "MergePreview",
        ],
        Some(USERS),
        &[],
    ),
    (&["ChatUserFacets", "PlatformCount"], Some(FIGURES), &[]),
    (&["BlockStatus"], Some(BLOCKS), &[]),
    (
        &["ChatUserBlock"],
        Some(BLOCKS),
        &[(USERS, &["by", "reason"])],
    ),
    (
        &["Deletion", "ErasureCheck", "HiddenChatUser"],
        Some(DELETIONS),
        &[],
    ),
    (&["AuditChange", "AuditEntry"], Some(AUDIT), &[]),
    (&["Token"], Some(TOKENS), &[]),
    (&["Viewer"], Some(FREE), &[]),
    // What is only reached from what has a rule.
    (&["Money", "PageInfo", "TableRows"], Some(FREE), &[]),
    (
        &[
            "AgentPayload",
            "CreateTokenPayload",
            "DeleteChatUserPayload",
            "EventRejection",
            "MergeChatUsersPayload",
            "RecordMessagesPayload",
            "RedactMessagePayload",
            "RemoveMessagePayload",
            "RestoreChatUserPayload",
            "RevokeTokenPayload",
            "TagChatUsersPayload",
            "UpdateChatUserPayload",
            "UpdateChatUsersPayload",
            "UserError",
        ],
        Some(FREE),
        &[],
    ),
    // Inputs: those that would tell what one may not see.
    (
        &["AgentWhere"],
        Some(FREE),
        &[(
            FIGURES,
            &["totalCost", "totalMessages", "totalSessions", "totalUsers"],
        )],
    ),
    (
        &["ChatUserWhere"],
        Some(FREE),
        &[(
            FIGURES,
            &[
                "totalChatMessages",
                "totalCost",
                "totalMessagesSent",
                "totalSessions",
            ],
        )],
    ),
    (
        &["SessionWhere"],
        Some(FREE),
        &[(
            FIGURES,
            &["totalCost", "totalMessages", "totalMessagesFromUser"],
        )],
    ),
    (
        &["MessageWhere"],
        Some(FREE),
        &[(FIGURES, &["cost", "tokens"]), (TEXTS, &["text"])],
    ),
    (&["TagChatUsersInput"], Some(FREE), &[(USERS, &["where"])]),
    (
        &["AgentOrderField"],
        Some(FREE),
        &[(
            FIGURES,
            &["TOTAL_MESSAGES", "TOTAL_SESSIONS", "TOTAL_USERS"],
        )],
    ),
    (
        &["ChatUserOrderField"],
        Some(FREE),
        &[(
            FIGURES,
            &[
                "COST",
                "TOTAL_CHAT_MESSAGES",
                "TOTAL_MESSAGES_SENT",
                "TOTAL_SESSIONS",
            ],
        )],
    ),
    (
        &["SessionOrderField"],
        Some(FREE),
        &[(FIGURES, &["TOTAL_MESSAGES"])],
    ),
    // The other inputs: their field has the rule.
    (
        &[
            "AgentOrder",
            "ArchiveAgentInput",
            "AttachmentInput",
            "AuditActionFilter",
            "AuditEntryOrder",
            "AuditEntryOrderField",
            "AuditEntryWhere",
            "BlockChatUserInput",
            "BooleanFilter",
            "ChatUserOrder",
            "ChatUsersFilter",
            "CreateAgentInput",
            "CreateTokenInput",
            "DateTimeFilter",
            "DecimalFilter",
            "DeleteChatUserInput",
            "EventAgentInput",
            "EventInput",
            "EventMessageInput",
            "EventSessionInput",
            "EventUserInput",
            "IdFilter",
            "IntFilter",
            "MergeChatUsersInput",
            "MessageOrder",
            "MessageOrderField",
            "MessageRoleFilter",
            "PlatformFilter",
            "RecordMessagesInput",
            "RedactMessageInput",
            "RemoveMessageInput",
            "RestoreChatUserInput",
            "RevokeTokenInput",
            "SessionOrder",
            "SessionStatusFilter",
            "SetChatUserStoppedInput",
            "StringFilter",
            "SubscribeChatUserInput",
            "TagsFilter",
            "TokenOrder",
            "TokenOrderField",
            "TokenWhere",
            "UnarchiveAgentInput",
            "UnblockChatUserInput",
            "UnsubscribeChatUserInput",
            "UpdateAgentInput",
            "UpdateChatUserInput",
            "UpdateChatUserSettingsInput",
            "UpdateChatUsersInput",
        ],
        Some(FREE),
        &[],
    ),
];

/// The rules of a type.
#[derive(Debug)]
struct OfType {
    all: Option<Rule>,
    more: HashMap<&'static str, Rule>,
}

static TYPES: LazyLock<HashMap<&str, OfType>> = LazyLock::new(|| {
    let lines = RULES.iter().flat_map(|(names, all, more)| {
        names.iter().map(move |name| {
            let more = more
                .iter()
                .flat_map(|(rule, members)| members.iter().map(move |member| (*member, *rule)));
            let rules = OfType {
                all: *all,
                more: more.collect(),
            };
            (*name, rules)
        })
    });
    lines.collect()
});

fn known(name: &str) -> Option<&'static OfType> {
    let listed = || {
        name.strip_suffix("Connection")
            .or(name.strip_suffix("Edge"))
    };
    TYPES.get(name).or_else(|| TYPES.get(listed()?))
}

/// Whether a type, and a member of it when one is given, has a rule.
pub fn has_rule(name: &str, member: Option<&str>) -> bool {
    known(name).is_some_and(|rules| {
        rules.all.is_some() || member.is_none_or(|member| rules.more.contains_key(member))
    })
}

/// What a field that leads to objects of a type takes on their account: of each set one permission.
pub fn of_type(name: &str) -> Vec<Permissions> {
    match known(name) {
        None => every(),
        Some(rules) => rules.all.into_iter().flat_map(sets).collect(),
    }
}

/// What a field, a field of an input or a value of an enum takes: of each set one permission. A list has fields of its own, which
/// take what the list does.
pub fn of_member(name: &str, member: &str) -> Vec<Permissions> {
    match known(name) {
        Some(rules) if has_rule(name, Some(member)) => {
            let more = rules.more.get(member).filter(|_| TYPES.contains_key(name));
            let both = [rules.all, more.copied()];
            both.into_iter().flatten().flat_map(sets).collect()
        }
        _ => every(),
    }
}

fn sets(rule: Rule) -> impl Iterator<Item = Permissions> {
    rule.iter().map(|any| any.iter().copied().collect())
}

/// What has no rule takes everything.
fn every() -> Vec<Permissions> {
    Permission::iter()
        .map(|permission| std::iter::once(permission).collect())
        .collect()
}

/// Every type of the table, and every member that it names.
pub fn named() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    RULES.iter().flat_map(|(names, _, more)| {
        names.iter().flat_map(move |name| {
            let members = more.iter().flat_map(|(_, members)| members.iter());
            let members = members.map(move |member| (*name, Some(*member)));
            std::iter::once((*name, None)).chain(members)
        })
    })
}

/// The rules as a table in Markdown: what stands in docs/schema.md.
pub fn table() -> String {
    let mut table = "| asking for | takes |\n| --- | --- |\n".to_owned();
    let mut row = |names: Vec<String>, rule: Rule| {
        let takes = match rule {
            FREE => "nothing".to_owned(),
            rule => sets(rule).map(told).collect::<Vec<_>>().join(", and "),
        };
        writeln!(table, "| {} | {takes} |", names.join(", ")).ok();
    };
    for (names, all, more) in RULES {
        match all {
            None | Some(FREE) => {}
            Some(rule) => row(names.iter().map(|name| format!("`{name}`")).collect(), rule),
        }
        for (rule, members) in *more {
            let member = |name: &&'static str| {
                let name = *name;
                members
                    .iter()
                    .map(move |member| format!("`{name}.{member}`"))
            };
            row(names.iter().flat_map(member).collect(), rule);
        }
    }
    table
}

fn told(any: Permissions) -> String {
    let names: Vec<_> = any
        .iter()
        .map(|permission| format!("`{}`", permission.name()))
        .collect();
    names.join(" or ")
}
