//! The shape of the source text: which part may name which, and what every file has to have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The parts of the program, each with those that it may name. A lower station never names a higher one.
const MAY_NAME: [(&str, &[&str]); 23] = [
    ("caller", &["clock"]),
    ("clock", &[]),
    ("decimal", &[]),
    ("error", &["caller"]),
    ("id", &["clock"]),
    ("roles", &["caller"]),
    ("secret", &["error"]),
    ("exact", &[]),
    ("span", &[]),
    ("text", &[]),
    (
        "db",
        &["caller", "clock", "entity", "error", "id", "span", "text"],
    ),
    ("entity", &["caller", "clock", "id"]),
    (
        "read",
        &[
            "caller", "clock", "db", "decimal", "entity", "error", "id", "secret", "text",
        ],
    ),
    (
        "write",
        &[
            "caller", "clock", "db", "entity", "error", "id", "read", "roles", "secret", "text",
        ],
    ),
    (
        "authentication",
        &[
            "caller", "clock", "config", "db", "entity", "error", "id", "read", "roles", "secret",
            "write",
        ],
    ),
    ("demo", &["clock", "entity", "write"]),
    ("import", &["clock", "entity", "error", "exact", "write"]),
    (
        "graphql",
        &[
            "caller", "clock", "db", "decimal", "entity", "error", "id", "read", "roles", "secret",
            "text", "write",
        ],
    ),
    ("config", &["db", "entity", "error", "graphql", "roles"]),
    ("telemetry", &["config", "db", "error", "span"]),
    (
        "http",
        &[
            "authentication",
            "caller",
            "clock",
            "config",
            "db",
            "decimal",
            "error",
            "exact",
            "graphql",
            "roles",
            "span",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "authentication",
            "caller",
            "clock",
            "config",
            "db",
            "demo",
            "entity",
            "error",
            "graphql",
            "http",
            "id",
            "import",
            "read",
            "secret",
            "telemetry",
            "write",
        ],
    ),
    ("main", &[]),
];

#[test]
fn a_lower_station_never_names_a_higher_one() {
    let mut wrong = Vec::new();
    for (file, text) in sources("src") {
        let part = file.split(['/', '.']).next().unwrap();
        if part == "lib" {
            continue;
        }
        let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == part) else {
            wrong.push(format!("{file}: {part} has no rule here yet"));
            continue;
        };
        for name in named(&text) {
            let known = MAY_NAME.iter().any(|(part, _)| *part == name);
            if name != part && known && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_found_in_every_form() {
    let text = "use crate::a::b;\nuse crate::{c, d::{e, f}, g};\n// crate::h\nlet x = crate::i::y();\nuse super::j;";
    let expected: BTreeSet<_> = ["a", "c", "d", "g", "i"].map(str::to_owned).into();
    assert_eq!(named(text), expected);
}

#[test]
fn only_the_dialects_ask_which_database_it_is() {
    let files = sources("src").into_iter().chain(sources("migration/src"));
    let asking: Vec<_> = files
        .filter(|(_, text)| {
            code(text).any(|line| line.contains("DbBackend") || line.contains("DatabaseBackend"))
        })
        .map(|(file, _)| file)
        .collect();
    assert_eq!(asking, ["db/dialect.rs"]);
}

#[test]
fn rows_are_decoded_where_they_are_masked() {
    let by_hand: Vec<_> = sources("src")
        .into_iter()
        .filter(|(file, _)| file.starts_with("read/") || file.starts_with("graphql/"))
        .filter(|(_, text)| {
            let past = ["reader.fetch(", "from_query_result"];
            code(text).any(|line| past.iter().any(|way| line.contains(way)))
        })
        .map(|(file, _)| file)
        .collect();
    assert_eq!(by_hand, [""; 0]);
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "migration/src", "tests/it"] {
        for (file, text) in sources(folder) {
            assert!(text.starts_with("//! "), "{folder}/{file}");
        }
    }
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut explained = false;
    let mut count = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[dev-dependencies]");
        } else if inside && line.contains(" = ") {
            count += 1;
            // One comment may stand over lines that belong together.
            assert!(explained, "no comment over `{line}`");
        }
        explained = line.starts_with("# ") || explained && line.contains(" = ");
    }
    assert!(count > 20, "where have the dependencies gone?");
}

/// The parts of the program that a text names by `crate::…`.
fn named(text: &str) -> BTreeSet<String> {
    let code = code(text).collect::<Vec<_>>().join("\n");
    let mut names = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(members(group)),
            None => names.extend(word(rest)),
        }
    }
    names
}

/// The first words of what a group in braces lists, whose opening brace is read already.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut start) = (0, true);
    let mut members = Vec::new();
    for (at, char) in group.char_indices() {
        match char {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !char.is_whitespace() => {
                members.extend(word(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    members
}

fn word(text: &str) -> Option<String> {
    let end = text
        .find(|char: char| !char.is_alphanumeric() && char != '_')
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The lines of a text without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under a folder, by their path in it.
fn sources(folder: &str) -> Vec<(String, String)> {
    let top = root().join(folder);
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&top).unwrap().display().to_string();
                sources.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!sources.is_empty(), "{folder} is empty");
    sources.sort();
    sources
}
