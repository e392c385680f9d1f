//! The entities are what the migrations make: same columns, same nullability, on both databases.

use std::collections::BTreeMap;

use parlour::entity;
use sea_orm::{ColumnTrait, EntityTrait, IdenStatic, Iterable};

use crate::harness::{Kind, Start, World, everywhere};

type Columns = BTreeMap<String, bool>;

#[tokio::test(flavor = "multi_thread")]
async fn entities_and_tables_agree() {
    everywhere(Start::Empty, async |world| {
        same::<entity::agent::Entity>(world).await;
        same::<entity::chat_user::Entity>(world).await;
        same::<entity::session::Entity>(world).await;
        same::<entity::message::Entity>(world).await;
        same::<entity::audit_entry::Entity>(world).await;
        same::<entity::subscription::Entity>(world).await;
        same::<entity::deletion::Entity>(world).await;
        same::<entity::token::Entity>(world).await;
    })
    .await;
}

async fn same<E: EntityTrait>(world: &World) {
    let table = E::default().table_name().to_owned();
    let declared: Columns = E::Column::iter()
        .map(|column| (column.as_str().to_owned(), column.def().is_null()))
        .collect();
    assert_eq!(
        columns(world, &table).await,
        declared,
        "{table} on {:?}",
        world.kind
    );
}

/// Column names with whether they may hold NULL; generated columns and the number of a row belong to the indexes and not
/// to the entities.
async fn columns(world: &World, table: &str) -> Columns {
    let sql = match world.kind {
        Kind::Sqlite => format!(
            "SELECT name, \"notnull\" = 0 AS nullable FROM pragma_table_xinfo('{table}') WHERE hidden = 0 AND NOT (pk = 1 AND type = 'INTEGER')"
        ),
        Kind::Postgres => format!(
            "SELECT column_name::text AS name, is_nullable = 'YES' AS nullable FROM information_schema.columns \
             WHERE table_name = '{table}' AND is_generated = 'NEVER'"
        ),
    };
    let rows = world
        .database
        .reader
        .rows(world.database.reader.dialect().raw(sql, []))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get("", "name").unwrap(),
                row.try_get("", "nullable").unwrap(),
            )
        })
        .collect()
}
