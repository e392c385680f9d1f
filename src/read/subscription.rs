//! Subscriptions: those of many users in one statement.

use sea_orm::sea_query::Query;
use uuid::Uuid;

use crate::db::Reader;
use crate::entity::subscription::Model;
use crate::error::Result;

/// What users subscribe to, also what has expired; of each user by tag.
pub async fn of_users(reader: &Reader, users: &[Uuid]) -> Result<Vec<Model>> {
    let among = reader
        .dialect()
        .among("subscriptions.chat_user_id", users.iter().copied());
    let select = Query::select()
        .columns(["id", "chat_user_id", "tag", "subscribed_at", "expires_at"])
        .from("subscriptions")
        .and_where(among)
        .order_by("chat_user_id", sea_orm::sea_query::Order::Asc)
        .order_by("tag", sea_orm::sea_query::Order::Asc)
        .to_owned();
    reader.fetch(reader.dialect().statement(&select)).await
}
