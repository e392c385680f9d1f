//! `Node`: whatever has an id, found by it.

use async_graphql::{Context, ID, Interface};

use super::agent::Agent;
use super::audit_entry::AuditEntry;
use super::chat_user::ChatUser;
use super::deletion::{self, Deletion};
use super::loaders;
use super::message::Message;
use super::session::Session;
use super::subscription::Subscription;
use super::token::Token;
use crate::entity;
use crate::error::Result;
use crate::id::{self, ObjectKind};

/// Something with an id that is unique in the whole graph.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    method = "node_id",
    ty = "ID",
    desc = "The id: opaque, and unique in the whole graph."
))]
pub(super) enum Node {
    /// An agent.
    Agent(Agent),
    /// A chat user.
    ChatUser(ChatUser),
    /// A session.
    Session(Session),
    /// A message.
    Message(Message),
    /// An audit entry.
    AuditEntry(AuditEntry),
    /// A subscription of a user.
    Subscription(Subscription),
    /// The deletion of a user.
    Deletion(Deletion),
    /// A token.
    Token(Token),
}

/// The interface waits for the ids of its nouns.
macro_rules! nodes {
    ($($noun:ty),*) => {
        $(impl $noun {
            async fn node_id(&self, context: &Context<'_>) -> Result<ID> {
                Ok(self.id(context))
            }
        })*
    };
}
nodes!(
    Agent,
    ChatUser,
    Session,
    Message,
    AuditEntry,
    Subscription,
    Deletion,
    Token
);

/// What an id names; `None` for garbage and for what is not there.
pub(super) async fn find(context: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let loaders = loaders(context);
    let Some((noun, id)) = id::decode(id) else {
        return Ok(None);
    };
    Ok(match noun {
        ObjectKind::Agent => loaders
            .load_selected::<entity::agent::Entity>(context, id)
            .await?
            .map(|row| Node::Agent(row.into())),
        ObjectKind::ChatUser => loaders
            .load_selected::<entity::chat_user::Entity>(context, id)
            .await?
            .map(|row| Node::ChatUser(row.into())),
        ObjectKind::Session => loaders
            .load_selected::<entity::session::Entity>(context, id)
            .await?
            .map(|row| Node::Session(row.into())),
        ObjectKind::Message => loaders
            .load_selected::<entity::message::Entity>(context, id)
            .await?
            .map(|row| Node::Message(row.into())),
        ObjectKind::AuditEntry => loaders
            .load_selected::<entity::audit_entry::Entity>(context, id)
            .await?
            .map(|row| Node::AuditEntry(row.into())),
        ObjectKind::Subscription => loaders
            .load_selected::<entity::subscription::Entity>(context, id)
            .await?
            .map(|row| Node::Subscription(row.into())),
        ObjectKind::Deletion => deletion::find(context, id).await?.map(Node::Deletion),
        ObjectKind::Token => loaders
            .load_selected::<entity::token::Entity>(context, id)
            .await?
            .map(|row| Node::Token(row.into())),
    })
}
