//! The text of a query for PostgreSQL, with its values beside it: but for the number of a `LIMIT`, which is a part of the text. A plan
//! that is made once for all values has to know how few rows are asked for; pages have few sizes, so there are few texts.

use std::fmt::{self, Write};

use sea_orm::Value;
use sea_orm::sea_query::{PostgresQueryBuilder, QueryBuilder, SelectStatement, SqlWriter};

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Wording {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Wording {
    pub(super) fn of(query: &SelectStatement) -> Self {
        let mut wording = Self::default();
        query.build_collect_any_into(&PostgresQueryBuilder, &mut wording);
        wording
    }
}

impl SqlWriter for Wording {
    fn push_param<T: QueryBuilder>(&mut self, value: Value, _: &T) {
        let written = match value {
            Value::BigUnsigned(Some(rows)) if self.sql.ends_with(" LIMIT ") => {
                write!(self.sql, "{rows}")
            }
            value => {
                self.values.push(value);
                write!(self.sql, "${}", self.values.len())
            }
        };
        // A text grows as long as there is memory.
        written.ok();
    }

    fn as_writer(&mut self) -> &mut dyn Write {
        self
    }
}

impl Write for Wording {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.sql.write_str(text)
    }
}

impl fmt::Display for Wording {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sql)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::{Expr, ExprTrait, Query};

    use super::*;

    #[test]
    fn a_page_says_its_size_and_nothing_else() {
        let query = Query::select()
            .column("id")
            .from("agents")
            .and_where(Expr::col("name").eq(" LIMIT "))
            .and_where(Expr::col("total_users").eq(7_u64))
            .limit(21)
            .offset(40)
            .to_owned();
        let Wording { sql, values } = Wording::of(&query);
        assert_eq!(
            sql,
            r#"SELECT "id" FROM "agents" WHERE "name" = $1 AND "total_users" = $2 LIMIT 21 OFFSET $3"#
        );
        assert_eq!(values, [" LIMIT ".into(), 7_u64.into(), 40_u64.into()]);
    }
}
