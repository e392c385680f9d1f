//! `tests/cases/<noun>/<behaviour>.graphql` and the answer beside it: the same on both databases, byte for byte.
//!
//! A comment line `# caller: ROLE [AGENT…]` says who asks, with the agents they are limited to, `# variables: {…}` gives variables, `# statements: N` the budget, `# index: NAME` an index that the plans
//! must use. Every statement is explained: none may scan a whole table.

use std::path::{Path, PathBuf};

use parlour::caller::{Agents, Principal};
use parlour::db::{Transaction, TransactionError, UnitOfWork};
use parlour::id::ObjectKind;
use sea_orm::Statement;
use serde_json::Value;

use crate::harness::{Answer, Kind, Start, World, everywhere};

/// Tables that are never read from end to end. The audit log is not among them: `auditLog { totalCount }` across all agents
/// counts its rows.
pub(crate) const BIG: [&str; 10] = [
    "agents",
    "chat_user_aliases",
    "chat_user_tags",
    "chat_users",
    "deletions",
    "idempotency_keys",
    "messages",
    "sessions",
    "subscriptions",
    "tokens",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_case_has_its_answer() {
    let cases = cases();
    assert!(cases.len() > 20, "where have the cases gone?");
    everywhere(Start::Audience, async |world| {
        let mut wrong = Vec::new();
        for case in &cases {
            if let Err(reason) = check(world, case).await {
                wrong.push(format!("{}: {reason}", case.display()));
            }
        }
        assert!(
            wrong.is_empty(),
            "on {:?}\n{}",
            world.kind,
            wrong.join("\n")
        );
    })
    .await;
}

#[test]
fn every_answer_has_its_case() {
    for folder in std::fs::read_dir(folder()).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            assert!(
                file.with_extension("graphql").exists(),
                "{} answers nothing",
                file.display()
            );
        }
    }
}

async fn check(world: &World, case: &Path) -> Result<(), String> {
    let query = std::fs::read_to_string(case).unwrap();
    let variables = notes(&query, "variables")
        .first()
        .map_or(Value::Null, |json| serde_json::from_str(json).unwrap());
    let answer = match notes(&query, "caller").first() {
        Some(caller) => {
            world
                .seen_by(principal(caller))
                .ask_with(&query, variables)
                .await
        }
        None => world.ask_with(&query, variables).await,
    };

    let file = case.with_extension("json");
    let actual = serde_json::to_string_pretty(&answer.body).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() && world.kind == Kind::Sqlite {
        std::fs::write(&file, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&file)
        .map_err(|_| "has no answer; UPDATE=1 writes it".to_owned())?;
    if actual != expected {
        return Err(format!("answers\n{actual}"));
    }

    let statements = answer.tally.figures().statements;
    if let Some(budget) = notes(&query, "statements").first() {
        if **budget != statements.to_string() {
            return Err(format!(
                "took {statements} statements, and has a budget of {budget}"
            ));
        }
    } else if answer.body["data"].is_object() && statements > 0 {
        return Err("has no line `# statements: N`".to_owned());
    }
    let plans = plans(world, &answer).await;
    for (plan, line) in plans
        .iter()
        .flat_map(|plan| plan.iter().map(move |line| (plan, line)))
    {
        if let Some(table) = BIG.iter().find(|table| scans(plan, line, table)) {
            return Err(format!("reads all of {table}:\n{}", plan.join("\n")));
        }
    }
    let plans = plans.concat();
    for index in notes(&query, "index") {
        if !plans.iter().any(|line| line.contains(index)) {
            return Err(format!("does not use {index}:\n{}", plans.join("\n")));
        }
    }
    Ok(())
}

/// `ROLE [AGENT…]`
fn principal(caller: &str) -> Principal {
    let mut words = caller.split_whitespace();
    let role = words
        .next()
        .map(|role| serde_json::from_value(role.into()).unwrap());
    let agents: Vec<_> = words
        .map(|id| ObjectKind::Agent.decode(id).unwrap())
        .collect();
    let agents = if agents.is_empty() {
        Agents::All
    } else {
        Agents::only(agents)
    };
    Principal::with_role("a test", role.unwrap(), agents)
}

/// What comment lines of a case say after a word.
fn notes<'a>(query: &'a str, word: &str) -> Vec<&'a str> {
    let note = |line: &'a str| {
        line.strip_prefix('#')?
            .trim()
            .strip_prefix(word)?
            .strip_prefix(':')
    };
    query.lines().filter_map(note).map(str::trim).collect()
}

/// Whether a line of a plan reads a whole table. A subquery may bear its table's name: reading all of that is meant.
pub(crate) fn scans(plan: &[String], line: &str, table: &str) -> bool {
    let names = |line: &str, prefix: &str| {
        line.split_once(&format!("{prefix} {table}"))
            .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
    };
    let subquery = plan
        .iter()
        .any(|line| names(line, "CO-ROUTINE") || names(line, "MATERIALIZE"));
    names(line, "Seq Scan on") || (names(line, "SCAN") && !line.contains("USING") && !subquery)
}

/// The plans of all statements of an answer, each line by line. PostgreSQL is told that the tables are too big to scan or
/// sort, as they are outside of tests.
pub(crate) async fn plans(world: &World, answer: &Answer) -> Vec<Vec<String>> {
    let statements = answer.tally.statements();
    let (settings, column): (&'static [&str], _) = match world.kind {
        Kind::Sqlite => (&[], "detail"),
        Kind::Postgres => (
            &[
                "SET LOCAL enable_seqscan = off",
                "SET LOCAL enable_sort = off",
                "SET LOCAL enable_bitmapscan = off",
            ],
            "QUERY PLAN",
        ),
    };
    let explain = Explain {
        statements,
        settings,
        column,
    };
    world.database.writer.transaction(&explain).await.unwrap()
}

/// Statements to be explained under some settings; the column that tells the plan.
struct Explain {
    statements: Vec<Statement>,
    settings: &'static [&'static str],
    column: &'static str,
}

impl UnitOfWork for Explain {
    type Output = Vec<Vec<String>>;

    async fn run(&self, transaction: &Transaction) -> Result<Self::Output, TransactionError> {
        let dialect = transaction.dialect();
        for setting in self.settings {
            transaction.execute(dialect.raw(*setting, [])).await?;
        }
        let mut plans = Vec::new();
        for statement in &self.statements {
            let rows = transaction.rows(dialect.explain(statement)).await?;
            let lines = rows.iter().map(|row| row.try_get("", self.column));
            plans.push(lines.collect::<Result<_, _>>()?);
        }
        Ok(plans)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn cases() -> Vec<PathBuf> {
    let mut cases = Vec::new();
    for folder in std::fs::read_dir(folder()).unwrap() {
        let files = std::fs::read_dir(folder.unwrap().path())
            .unwrap()
            .map(|file| file.unwrap().path());
        cases.extend(files.filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "graphql")
        }));
    }
    cases.sort();
    cases
}
