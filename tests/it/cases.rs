//! `tests/cases/<noun>/<behaviour>.graphql` and the answer beside it: the same on both databases, byte for byte.
//!
//! A comment line `# variables: {…}` gives variables, `# statements: N` the budget, `# index: NAME` an index that the plans
//! must use. Every statement is explained: none may scan a whole table.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Answer, Kind, Start, World, everywhere};

/// Tables that are never read from end to end.
const BIG: [&str; 4] = ["agents", "chat_users", "sessions", "messages"];

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
    let note = |word: &str| {
        query
            .lines()
            .filter_map(move |line| {
                line.strip_prefix('#')?
                    .trim()
                    .strip_prefix(word)?
                    .strip_prefix(':')
            })
            .map(str::trim)
    };
    let variables = note("variables")
        .next()
        .map_or(Value::Null, |json| serde_json::from_str(json).unwrap());
    let answer = world.ask_with(&query, variables).await;

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
    if let Some(budget) = note("statements").next() {
        if budget != statements.to_string() {
            return Err(format!(
                "took {statements} statements, and has a budget of {budget}"
            ));
        }
    } else if answer.body["data"].is_object() && statements > 0 {
        return Err("has no line `# statements: N`".to_owned());
    }
    let plans = plans(world, &answer).await;
    for line in &plans {
        if let Some(table) = BIG.iter().find(|table| scans(line, table)) {
            return Err(format!("reads all of {table}: {line}"));
        }
    }
    for index in note("index") {
        if !plans.iter().any(|line| line.contains(index)) {
            return Err(format!("does not use {index}:\n{}", plans.join("\n")));
        }
    }
    Ok(())
}

fn scans(line: &str, table: &str) -> bool {
    let whole = |prefix: &str| {
        line.split_once(&format!("{prefix} {table}"))
            .is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
    };
    whole("Seq Scan on") || (whole("SCAN") && !line.contains("USING"))
}

/// The plans of all statements of an answer, line by line. PostgreSQL is told that the tables are too big to scan or
/// sort, as they are outside of tests.
async fn plans(world: &World, answer: &Answer) -> Vec<String> {
    let statements = answer.tally.statements();
    let (settings, column): (&[&str], &str) = match world.kind {
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
    world
        .database
        .writer
        .transaction(async |transaction| {
            for setting in settings {
                transaction
                    .execute(transaction.dialect().raw(*setting, []))
                    .await?;
            }
            let mut lines = Vec::new();
            for statement in &statements {
                for row in transaction
                    .rows(transaction.dialect().explain(statement))
                    .await?
                {
                    lines.push(row.try_get("", column)?);
                }
            }
            Ok(lines)
        })
        .await
        .unwrap()
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
