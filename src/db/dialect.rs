//! How each database says what they say differently. The only file of the program that asks which database it is.
#![expect(
    clippy::disallowed_types,
    reason = "the one file that asks which database this is"
)]

use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

use super::grams;
use super::json_batch::{Column, Key, Rows};
use super::sql_text::Wording;

/// From how many entries of the index on a walk along the order costs PostgreSQL less than looking all of them up.
const MANY: u64 = 2_000;

/// An agent and a platform, as the index of trigrams of PostgreSQL has them in one.
const AUDIENCE: &str = "(chat_users.agent_id::text || chat_users.platform)";

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `SQLite`, embedded.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Which rows of many parents are meant.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The columns to order by.
    pub order: [&'a str; 2],
    /// Largest first.
    pub descending: bool,
    /// Rows at most.
    pub limit: u64,
    /// Rows that are passed over.
    pub offset: u64,
}

/// How an index finds the users in whose `search_text` there is a text.
#[derive(Clone, Debug)]
pub struct Found {
    /// How `chat_user_grams`, when it is what finds them, is joined to `chat_users`.
    pub by: Option<&'static str>,
    /// The condition that the index answers. It holds for all who have the text.
    pub condition: Expr,
    /// Whether it holds for nobody else, so that the search text need not be looked at.
    pub exact: bool,
    /// Whether that is so for a platform as well. An agent always is known.
    pub knows_platform: bool,
    /// How many are found without being read from their table.
    pub many: Option<Many>,
    /// Whether it says by itself which agent and which platform they are of: where these are named beside it, the index would look
    /// for each of them, too.
    pub says_audience: bool,
}

/// How matches are put in order when they are many: not looked up, but met on a walk along the order, by an index that has all
/// that the walk looks at.
#[derive(Clone, Debug)]
pub struct Many {
    /// Whether they are.
    pub are: Expr,
    /// Whether one of them is met.
    pub is_met: Expr,
}

impl Found {
    /// Whether the one plan for it is the best, whatever the text is: for what PostgreSQL's index of trigrams finds.
    pub const fn is_planned(&self) -> bool {
        self.by.is_none()
    }
}

impl Dialect {
    /// The dialect that a connection string asks for.
    pub fn of_url(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// What OpenTelemetry calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgresql",
        }
    }

    const fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    /// A built query as text and binds.
    pub fn statement(self, query: &SelectStatement) -> Statement {
        match self {
            Self::Sqlite => self.backend().build(query),
            Self::Postgres => {
                let Wording { sql, values } = Wording::of(query);
                self.raw(sql, values)
            }
        }
    }

    /// A statement written by hand with `$1`, `$2`, …, which both databases read.
    pub fn raw(self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// The statement that explains how another one would run.
    pub fn explain(self, statement: &Statement) -> Statement {
        let word = match self {
            Self::Sqlite => "EXPLAIN QUERY PLAN",
            Self::Postgres => "EXPLAIN",
        };
        Statement {
            sql: format!("{word} {}", statement.sql),
            ..statement.clone()
        }
    }

    /// A batch as a subquery: its JSON bind, taken apart.
    pub(super) fn rows(
        self,
        columns: &[(&str, Column)],
        count: usize,
        placeholder: &str,
    ) -> String {
        match self {
            Self::Sqlite => {
                let columns: Vec<_> = columns
                    .iter()
                    .enumerate()
                    .map(|(at, (name, kind))| match kind {
                        Column::Uuid => format!("unhex(value ->> {at}) AS {name}"),
                        Column::Int | Column::Text => format!("value ->> {at} AS {name}"),
                    })
                    .collect();
                // `jsonb_each`: a row stays in the binary form, and is not written out as text for each of its columns.
                format!(
                    "(SELECT {} FROM jsonb_each({placeholder}))",
                    columns.join(", ")
                )
            }
            Self::Postgres => {
                let columns: Vec<_> = columns
                    .iter()
                    .enumerate()
                    .map(|(at, (name, kind))| match kind {
                        Column::Uuid => format!("(value ->> {at})::uuid AS {name}"),
                        Column::Int => format!("(value ->> {at})::bigint AS {name}"),
                        Column::Text => format!("value ->> {at} AS {name}"),
                    })
                    .collect();
                // How many there are it cannot know, and takes them for a hundred: then it would rather read all of a small table.
                let limit = match count {
                    0..=1 => " LIMIT 1",
                    2..=10 => " LIMIT 10",
                    _ => "",
                };
                format!(
                    "(SELECT {} FROM jsonb_array_elements({placeholder}::jsonb){limit})",
                    columns.join(", ")
                )
            }
        }
    }

    /// `column` is one of `ids`.
    pub fn among(self, column: &str, ids: impl IntoIterator<Item = Uuid>) -> Expr {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        match self {
            // A batch would cost several times what the look-up does.
            Self::Sqlite if ids.len() == 1 => {
                Expr::cust_with_values(format!("{column} = ?"), ids.iter().copied())
            }
            Self::Sqlite => {
                let rows = Rows::ids(ids);
                let template = format!("{column} IN (SELECT id FROM {})", rows.subquery(self, "?"));
                Expr::cust_with_values(template, [rows.value()])
            }
            Self::Postgres => {
                Expr::cust_with_values(format!("{column} = ANY($1)"), [Value::from(ids)])
            }
        }
    }

    /// `column` contains `text`, byte for byte: nothing in `text` is a wildcard.
    pub fn contains(self, column: &str, text: &str) -> Expr {
        match self {
            Self::Sqlite => Expr::cust_with_values(format!("instr({column}, ?) > 0"), [text]),
            Self::Postgres => Expr::cust_with_values(format!("strpos({column}, $1) > 0"), [text]),
        }
    }

    /// `column`, a search text, contains `text`: as [`Self::contains`], but in words that the trigram index understands.
    pub fn search(self, column: &str, text: &str) -> Expr {
        if !self.has_trigrams(text) {
            return self.contains(column, text);
        }
        let mut pattern = String::with_capacity(text.len() + 2);
        pattern.push('%');
        for char in text.chars() {
            if matches!(char, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(char);
        }
        pattern.push('%');
        Expr::cust_with_values(format!("{column} LIKE $1"), [pattern])
    }

    /// Whether the trigram index can find `text`. Trigrams are made of letters and digits, and of two with the end of a word;
    /// where there is none, that index is slower than no index.
    fn has_trigrams(self, text: &str) -> bool {
        let mut words = text.split(|char: char| !char.is_alphanumeric());
        let ends = words.clone().nth(1).is_some();
        let least = if ends { 2 } else { 3 };
        self == Self::Postgres && words.any(|word| word.chars().nth(least - 1).is_some())
    }

    /// The way to the users, of an agent and a platform where one is given, in whose `search_text` there is `text`. `None`
    /// when no index knows `text`.
    pub fn indexed(self, agent: Option<Uuid>, platform: Option<&str>, text: &str) -> Option<Found> {
        if self.has_trigrams(text) {
            let found = self.search("chat_users.search_text", text);
            let is = |column, value| Expr::cust_with_values(format!("{column} = $1"), [value]);
            let condition = match (agent, platform) {
                (Some(agent), Some(platform)) => {
                    found.and(is(AUDIENCE, format!("{agent}{platform}")))
                }
                (None, Some(platform)) => found.and(is("chat_users.platform", platform.to_owned())),
                (_, None) => found,
            };
            return Some(Found {
                by: None,
                condition,
                exact: true,
                knows_platform: false,
                many: None,
                says_audience: agent.is_some() && platform.is_some(),
            });
        }
        let grams = grams::of_term(text, self.longest_gram());
        if grams.is_empty() {
            return None;
        }
        let exact = text.chars().count() <= self.longest_gram();
        Some(match self {
            Self::Sqlite => {
                // What is rare comes first: the words behind it are looked up for those alone who have it.
                let words = grams.into_iter().chain(audience_word(agent, platform));
                let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
                Found {
                    // The sign keeps the index from being asked for each user whether it has them.
                    by: Some("chat_users.number = +chat_user_grams.rowid"),
                    condition: Expr::cust_with_values(
                        "chat_user_grams MATCH ?",
                        [words.join(" AND ")],
                    ),
                    exact,
                    knows_platform: true,
                    // A look-up by the table's own key is as cheap as a step along an order.
                    many: None,
                    says_audience: false,
                }
            }
            Self::Postgres => {
                let (condition, values) = match agent {
                    Some(agent) => (
                        "chat_user_grams.grams @> $1 AND chat_user_grams.agent_id = $2",
                        vec![Value::from(grams), Value::from(agent)],
                    ),
                    None => ("chat_user_grams.grams @> $1", vec![Value::from(grams)]),
                };
                let spelled = |sql: String| Expr::cust_with_values(sql, values.clone());
                let entries = format!("FROM chat_user_grams WHERE {condition}");
                Found {
                    by: Some("chat_users.id = chat_user_grams.chat_user_id"),
                    condition: spelled(condition.to_owned()),
                    exact,
                    knows_platform: false,
                    many: Some(Many {
                        are: spelled(format!(
                            "(SELECT COUNT(*) FROM (SELECT 1 {entries} LIMIT {MANY}) AS entries) = {MANY}"
                        )),
                        // `OR false`: else the planner makes a join of it, and reads all that it joins.
                        is_met: spelled(format!(
                            "(chat_users.id IN (SELECT chat_user_id {entries}) OR false)"
                        )),
                    }),
                    says_audience: false,
                }
            }
        })
    }

    /// Characters of the longest gram that is kept. PostgreSQL finds three and more by its own trigram index.
    const fn longest_gram(self) -> usize {
        match self {
            Self::Sqlite => grams::LONGEST,
            Self::Postgres => grams::LONGEST - 1,
        }
    }

    /// What the index knows a user of an agent on a platform by, from their search text.
    pub fn grams(self, agent: Uuid, platform: &str, search_text: &str) -> String {
        let grams = grams::of(search_text, self.longest_gram());
        match self {
            Self::Sqlite => {
                let audiences = [
                    (Some(agent), Some(platform)),
                    (Some(agent), None),
                    (None, Some(platform)),
                ];
                let words = audiences
                    .into_iter()
                    .filter_map(|(agent, platform)| audience_word(agent, platform));
                let words: Vec<_> = words.chain([grams]).collect();
                words.join(" ")
            }
            Self::Postgres => grams,
        }
    }

    /// The statement that puts users, each with agent, platform and search text, into the index, in place of what it has of them.
    pub fn index(self, users: &[(Uuid, Uuid, String, &str)]) -> Statement {
        const COLUMNS: [(&str, Column); 3] = [
            ("id", Column::Uuid),
            ("agent", Column::Uuid),
            ("grams", Column::Text),
        ];
        let rows = users.iter().map(|(id, agent, platform, text)| {
            (Key(*id), Key(*agent), self.grams(*agent, platform, text))
        });
        let rows: Vec<_> = rows.collect();
        let rows = Rows::new(&COLUMNS, &rows);
        let batch = rows.subquery(self, "$1");
        let sql = match self {
            Self::Sqlite => format!(
                "INSERT OR REPLACE INTO chat_user_grams (rowid, grams) \
                 SELECT chat_users.number, batch.grams FROM {batch} AS batch CROSS JOIN chat_users ON chat_users.id = batch.id"
            ),
            Self::Postgres => format!(
                "INSERT INTO chat_user_grams (chat_user_id, agent_id, grams) \
                 SELECT id, agent, string_to_array(grams, ' ') FROM {batch} AS batch WHERE true \
                 ON CONFLICT (chat_user_id) DO UPDATE SET grams = excluded.grams"
            ),
        };
        self.raw(sql, [rows.into_value()])
    }

    /// The database that migrations are written for.
    pub(super) const fn migrated(self) -> migration::Database {
        match self {
            Self::Sqlite => migration::Database::Sqlite,
            Self::Postgres => migration::Database::Postgres,
        }
    }

    /// A query with a row if there is a table of migrations.
    pub(super) const fn migrations(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'"
            }
            Self::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        }
    }

    /// Takes the lock that copies of the program take turns by when they change the schema: "parlour" in hexadecimal. `SQLite` has one
    /// writer.
    pub(super) const fn migration_lock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(x'7061726c6f7572'::bigint)"),
        }
    }

    /// The query for users behind the number `$1` whom an index that is empty does not know, in the order in which it takes them.
    /// Only `SQLite`'s is made anew by the program.
    pub(super) const fn unindexed(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some(
                "SELECT number, id, agent_id, platform, search_text FROM chat_users \
                 WHERE number > $1 AND ($1 > 0 OR NOT EXISTS (SELECT 1 FROM chat_user_grams)) ORDER BY number LIMIT 5000",
            ),
            Self::Postgres => None,
        }
    }

    /// The statement that takes a user out of the index.
    pub fn unindex(self, user: Uuid) -> Statement {
        let sql = match self {
            Self::Sqlite => {
                "DELETE FROM chat_user_grams WHERE rowid = (SELECT number FROM chat_users WHERE id = $1)"
            }
            Self::Postgres => "DELETE FROM chat_user_grams WHERE chat_user_id = $1",
        };
        self.raw(sql, [user.into()])
    }

    /// The query for how many entries of the index are of the user whose id is `$1`.
    pub fn index_entries(self) -> String {
        let of_user = match self {
            Self::Sqlite => "rowid = (SELECT number FROM chat_users WHERE id = $1)",
            Self::Postgres => "chat_user_id = $1",
        };
        format!("SELECT COUNT(*) FROM chat_user_grams WHERE {of_user}")
    }

    /// The 32 hexadecimal digits of the id in `column`.
    pub fn digits(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("lower(hex({column}))"),
            Self::Postgres => format!("replace({column}::text, '-', '')"),
        }
    }

    /// The changes of an audit entry in `column` as names of fields, without what they were before and after.
    pub fn without_values(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!(
                "(SELECT json_group_array(json_object('field', value ->> 'field')) FROM json_each({column}))"
            ),
            Self::Postgres => format!(
                "(SELECT COALESCE(json_agg(json_build_object('field', change ->> 'field')), '[]')::text \
                 FROM json_array_elements({column}::json) AS change)"
            ),
        }
    }

    /// `column` starts with `text`, byte for byte.
    pub fn starts_with(self, column: &str, text: &str) -> Expr {
        let template = match self {
            Self::Sqlite => format!("substr({column}, 1, length(?)) = ?"),
            Self::Postgres => format!("substr({column}, 1, length($1)) = $2"),
        };
        Expr::cust_with_values(template, [text, text])
    }

    /// The JSON array of texts in `column` has `text` in it.
    pub fn has(self, column: &str, text: &str) -> Expr {
        match self {
            Self::Sqlite => Expr::cust_with_values(
                format!("EXISTS (SELECT 1 FROM json_each({column}) WHERE value = ?)"),
                [text],
            ),
            Self::Postgres => Expr::cust_with_values(
                format!(
                    "EXISTS (SELECT 1 FROM json_array_elements_text({column}::json) AS tag WHERE tag = $1)"
                ),
                [text],
            ),
        }
    }

    /// A user has `text` among their tags, by the table that lists by tag look into.
    pub fn tagged(self, text: &str) -> Expr {
        let placeholder = match self {
            Self::Sqlite => "?",
            Self::Postgres => "$1",
        };
        let template = format!(
            "EXISTS (SELECT 1 FROM chat_user_tags WHERE chat_user_tags.tag = {placeholder} \
             AND chat_user_tags.agent_id = chat_users.agent_id AND chat_user_tags.chat_user_id = chat_users.id)"
        );
        Expr::cust_with_values(template, [text])
    }

    /// The texts of a JSON array in `column`, as rows of a table `tag` with the column `value`.
    pub fn each_tag(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({column}) AS tag"),
            Self::Postgres => {
                format!("jsonb_array_elements_text({column}::jsonb) AS tag (value)")
            }
        }
    }

    /// The largest of some expressions, none of them NULL.
    pub const fn greatest(self) -> &'static str {
        match self {
            Self::Sqlite => "max",
            Self::Postgres => "GREATEST",
        }
    }

    /// The function that shows any value as text.
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Sqlite => "quote",
            Self::Postgres => "concat",
        }
    }

    /// What ends a query whose rows of `table` nobody else may change until the transaction ends. A writing transaction of
    /// SQLite is alone anyway.
    pub fn locking(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR NO KEY UPDATE OF {table}"),
        }
    }

    /// As [`Self::locking`], but rows that somebody else holds are passed over.
    pub fn locking_free(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!("{} SKIP LOCKED", self.locking(table)),
        }
    }

    /// For each parent the rows of `children`, which selects from `table`, ordered and limited, and finds its parent's id as [`Self::PARENT`].
    ///
    /// One statement with one text for any number of parents, and each parent costs an index look-up (docs/decisions/0005).
    /// The rows of a parent come in no particular order.
    pub fn children_of(
        self,
        parents: &[Uuid],
        table: &str,
        columns: &[&str],
        children: &mut SelectStatement,
    ) -> Statement {
        let rows = Rows::ids(parents.iter().copied());
        match self {
            Self::Sqlite => {
                children.expr(Expr::cust(format!("{table}.rowid")));
                let (inner, values) = children.build(sea_orm::sea_query::SqliteQueryBuilder);
                let parents = rows.subquery(self, "?");
                let sql = format!(
                    "SELECT {} FROM {parents} AS parent CROSS JOIN {table} AS child ON child.rowid IN ({inner})",
                    list("child", columns)
                );
                self.raw(sql, std::iter::once(rows.value()).chain(values.0))
            }
            Self::Postgres => {
                children.expr(Expr::cust(list(table, columns)));
                let Wording {
                    sql: inner,
                    mut values,
                } = Wording::of(children);
                values.push(Value::from(parents.to_vec()));
                let sql = format!(
                    "SELECT {} FROM unnest(${}::uuid[]) AS parent (id) CROSS JOIN LATERAL ({inner}) AS child",
                    list("child", columns),
                    values.len()
                );
                self.raw(sql, values)
            }
        }
    }

    /// As [`Self::children_of`], where `children` finds its parent's id as [`Self::each_parent`], for
    /// [`Reader::lists`](super::Reader::lists): `SQLite` runs it for one parent after the other, which is what a join for each of
    /// them would do, and puts their rows in order.
    pub fn lists_of(
        self,
        parents: &[Uuid],
        table: &str,
        columns: &[&str],
        children: &mut SelectStatement,
    ) -> Statement {
        match self {
            Self::Sqlite => {
                children.expr(Expr::cust(list(table, columns)));
                self.statement(children)
            }
            Self::Postgres => self.children_of(parents, table, columns, children),
        }
    }

    /// How the id of the parent whose list it is is named in [`Self::lists_of`].
    pub const fn each_parent(self) -> &'static str {
        match self {
            Self::Sqlite => Self::ONE_PARENT,
            Self::Postgres => Self::PARENT,
        }
    }

    /// The parameter of a statement of `SQLite` that stands for the parent it is run for.
    pub(super) const ONE_PARENT: &'static str = ":parent";

    /// A part of all the rows that [`Self::children_of`] gives, in one order for all parents.
    pub fn part_of_children(self, children: Statement, part: &Part<'_>) -> Statement {
        let Statement { sql, values, .. } = children;
        let mut values = values.map(|values| values.0).unwrap_or_default();
        let direction = if part.descending { "DESC" } else { "ASC" };
        let order = part
            .order
            .map(|column| format!("child.\"{column}\" {direction}"))
            .join(", ");
        let mut bind = |number: u64| {
            values.push(Value::from(i64::try_from(number).unwrap_or(i64::MAX)));
            match self {
                Self::Sqlite => "?".to_owned(),
                Self::Postgres => format!("${}", values.len()),
            }
        };
        let (limit, offset) = (bind(part.limit), bind(part.offset));
        let sql = format!("{sql} ORDER BY {order} LIMIT {limit} OFFSET {offset}");
        self.raw(sql, values)
    }

    /// A subquery: for each row of `batch`, which it calls `one`, those of `table` that `rest` (WHERE, ORDER BY, LIMIT) finds.
    /// Each row of the batch costs an index look-up.
    pub fn for_each(self, batch: &str, table: &str, columns: &[&str], rest: &str) -> String {
        let found = list("found", columns);
        match self {
            Self::Sqlite => format!(
                "(SELECT {found} FROM {batch} AS one CROSS JOIN {table} AS found \
                 ON found.rowid IN (SELECT {table}.rowid FROM {table} {rest}))"
            ),
            Self::Postgres => format!(
                "(SELECT {found} FROM {batch} AS one CROSS JOIN LATERAL (SELECT {} FROM {table} {rest}) AS found)",
                list(table, columns)
            ),
        }
    }

    /// What follows a table in FROM that is to be read by an index: one that holds few rows, of which a planner without
    /// statistics knows nothing. PostgreSQL sees its size.
    pub fn by_index(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {index}"),
            Self::Postgres => String::new(),
        }
    }

    /// How [`Self::children_of`] names the parent's id.
    pub const PARENT: &'static str = "parent.id";
}

/// Columns of a table, or of what stands for one.
fn list(table: &str, columns: &[&str]) -> String {
    let columns = columns.iter().map(|column| format!("{table}.\"{column}\""));
    columns.collect::<Vec<_>>().join(", ")
}

/// The users of an agent, on a platform, or both, as a word of the `SQLite` index; longer than any gram. Both have one word, whose
/// entries are fewer than those of either.
fn audience_word(agent: Option<Uuid>, platform: Option<&str>) -> Option<String> {
    let agent = agent.map(|agent| agent.simple().to_string());
    let platform = platform.map(|platform| format!("platform{}", platform.replace('_', "")));
    (agent.is_some() || platform.is_some())
        .then(|| [agent, platform].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn trigrams_are_made_of_three_letters_or_of_two_at_the_end_of_a_word() {
        let with = ["ann", "-ar", "ya.", "1 23", "李小龙", "x-y-zz"];
        let without = ["an", "a.b", "n.", "--", "李", "🦀🦀🦀", ""];
        for (terms, has) in [(&with[..], true), (&without[..], false)] {
            for term in terms {
                assert_eq!(Dialect::Postgres.has_trigrams(term), has, "{term:?}");
                assert!(!Dialect::Sqlite.has_trigrams(term));
            }
        }
    }
}
