//! The command line, run as people run it: the real binary, with a real database and a real socket.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory;
use parlour::cli::Cli;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Start, World, everywhere};
use crate::served::{Served, at, parlour};

#[test]
fn the_commands_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_is_what_is_committed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/help");
    let mut commands = vec![Vec::new()];
    collect(&Cli::command(), &mut Vec::new(), &mut commands);
    let mut files = Vec::new();
    for command in &commands {
        let output = parlour().args(command).arg("--help").output().unwrap();
        let actual = text(&output);
        let file = folder.join(format!(
            "{}.txt",
            [&["parlour".to_owned()], command.as_slice()]
                .concat()
                .join("_")
        ));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &actual).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == actual,
            "{} is stale: run UPDATE=1 cargo test help_is, then read the diff",
            file.display()
        );
        files.push(file);
    }
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        assert!(
            files.contains(&file),
            "{} is the help of no command",
            file.display()
        );
    }
}

#[test]
fn schema_prints_the_committed_schema() {
    let output = parlour().arg("schema").output().unwrap();
    let committed =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql"))
            .unwrap();
    assert_eq!(text(&output), committed);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_goes_up_and_down_and_tells_where_it_stands() {
    everywhere(Start::Nothing, async |world| {
        let migrate = |arguments: &[&str]| {
            let mut command = at(world);
            text(&command.arg("migrate").args(arguments).output().unwrap())
        };
        let all = |state: &str| {
            let lines = migrate(&["status"]);
            assert!(
                !lines.is_empty() && lines.lines().all(|line| line.ends_with(state)),
                "{state}: {lines}"
            );
        };
        all(": pending");
        assert!(migrate(&["up"]).ends_with(": applied\n"));
        all(": applied");
        migrate(&["up"]);
        all(": applied");
        let one_down = migrate(&["down", "1"]);
        assert!(one_down.contains(": applied\n") && one_down.ends_with(": pending\n"));
        migrate(&["down", "99"]);
        all(": pending");
        migrate(&["up"]);
        all(": applied");
    })
    .await;
}

/// How many steps down take a migration back, the newer ones included.
fn down_to(world: &World, migration: &str) -> usize {
    let status = at(world).args(["migrate", "status"]).output().unwrap();
    let status = text(&status);
    let mut newest_first = status.lines().rev();
    newest_first
        .position(|line| line.contains(migration))
        .unwrap()
        + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_trims_the_tags_that_are_stored() {
    everywhere(Start::Empty, async |world| {
        let event = json!({ "agent": { "externalId": "a" }, "user": { "platform": "WEB", "platformId": "1", "tags": ["old", "vip"] },
            "session": { "externalId": "s", "tags": ["x"] }, "message": { "externalId": "m", "role": "USER", "text": "", "sentAt": "2026-04-01T00:00:00Z" } });
        let record = "mutation ($event: EventInput!) { recordMessages(input: {events: [$event]}) { recorded } }";
        world.ask(record, json!({ "event": event })).await;
        let steps = down_to(world, "m0015_trimmed_tags").to_string();
        text(&at(world).args(["migrate", "down", &steps]).output().unwrap());
        for sql in [
            "UPDATE chat_users SET tags = '[\"\u{a0}vip\",\"old\",\"vip \"]'",
            "UPDATE sessions SET tags = '[\" \",\"x\\n\"]'",
            "DELETE FROM chat_user_tags WHERE tag = 'vip'",
            "INSERT INTO chat_user_tags (tag, agent_id, chat_user_id) SELECT 'vip ', agent_id, id FROM chat_users",
        ] {
            world.database.writer.execute(sql).await.unwrap();
        }
        text(&at(world).args(["migrate", "up"]).output().unwrap());
        let users = "{ chatUsers(where: { tags: { has: \"vip\" } }) { nodes { tags sessions { nodes { tags } } } } }";
        let users = world.ask(users, json!({})).await;
        let expected = json!([{ "tags": ["old", "vip"], "sessions": { "nodes": [{ "tags": ["x"] }] } }]);
        assert_eq!(users["chatUsers"]["nodes"], expected);
        let rows = "SELECT tag FROM chat_user_tags ORDER BY tag";
        let rows = world.database.reader.rows(world.database.reader.dialect().raw(rows, [])).await.unwrap();
        let tags: Vec<_> = rows.iter().map(|row| row.try_get::<String>("", "tag").unwrap()).collect();
        assert_eq!(tags, ["old", "vip"]);
    })
    .await;
}

/// The indexes of search are made anew by a migration, one of them by the program.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_found_before_a_migration_is_found_after_it() {
    everywhere(Start::Audience, async |world| {
        let everybody = "{ chatUsers(first: 100) { nodes { name platform agent { id } } } }";
        let users = world.ask(everybody, json!({})).await;
        let searches: Vec<_> = users["chatUsers"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|user| {
                let term: String = user["name"].as_str()?.chars().take(4).collect();
                Some(json!({ "agent": user["agent"]["id"], "platform": user["platform"], "term": term }))
            })
            .collect();
        assert!(searches.len() > 5);
        let found = async || {
            let query = "query($agent: ID!, $platform: Platform!, $term: String!) { \
                         chatUsers(agentId: $agent, platform: $platform, search: $term) { totalCount nodes { id } } }";
            let mut found = Vec::new();
            for search in &searches {
                found.push(world.ask(query, search.clone()).await);
            }
            found
        };
        let before = found().await;
        let steps = down_to(world, "m0010_audiences").to_string();
        for arguments in [&["down", &steps][..], &["up"]] {
            text(&at(world).arg("migrate").args(arguments).output().unwrap());
        }
        assert_eq!(found().await, before);
        let is_found = |one: &Value| one["chatUsers"]["totalCount"].as_i64() > Some(0);
        assert!(before.iter().all(is_found));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_answers_until_it_is_asked_to_stop() {
    everywhere(Start::Nothing, async |world| {
        let server = Served::start(at(world));
        for (address, start) in [
            ("/health/live", "live"),
            ("/health/ready", "ready"),
            ("/schema.graphql", "\"\"\""),
        ] {
            let answer = server.get(address);
            assert_eq!(answer.status, 200, "{address}");
            assert!(answer.body.starts_with(start), "{address}: {}", answer.body);
        }
        let expected = json!({ "data": { "chatUsers": { "totalCount": 0 } } });
        let question = json!({ "query": "{ chatUsers { totalCount } }" }).to_string();
        assert_eq!(server.post("application/json", &question).json(), expected);
        assert_eq!(
            server
                .get("/graphql?query=%7BchatUsers%7BtotalCount%7D%7D")
                .json(),
            expected
        );

        let mutation = server.get("/graphql?query=mutation%7Bx%7D");
        assert_eq!(
            (mutation.status, mutation.header("allow")),
            (405, Some("POST"))
        );
        assert_eq!(server.post("text/plain", &question).status, 415);
        assert_eq!(
            server
                .post("application/json", &" ".repeat((1 << 20) + 1))
                .status,
            413
        );
        assert_eq!(server.post("application/json", "{").status, 400);

        let lines = server.stop();
        assert!(lines.is_empty(), "more than one line was printed: {lines}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_that_start_at_once_on_an_empty_database_both_come_up() {
    everywhere(Start::Nothing, async |world| {
        let starting = [Served::launch(at(world)), Served::launch(at(world))];
        let servers = starting.map(Served::ready);
        for server in &servers {
            assert_eq!(server.get("/health/ready").status, 200);
        }
        for server in servers {
            server.stop();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_schema_is_refused_when_told_not_to_migrate() {
    everywhere(Start::Nothing, async |world| {
        for flag in ["--no-migrate", "--no-migrate=true"] {
            let message = refused(at(world).args(["serve", "--listen", "127.0.0.1:0", flag]));
            assert!(message.contains("parlour migrate up"), "{message}");
        }
        let untouched = at(world).args(["migrate", "status"]).output().unwrap();
        assert!(text(&untouched).ends_with(": pending\n"));

        at(world).args(["migrate", "up"]).output().unwrap();
        let mut command = at(world);
        command.env("PARLOUR_NO_MIGRATE", "true");
        Served::start(command).stop();
    })
    .await;
}

#[test]
fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let folder = Folder::new();
    let file = folder.write("parlour.toml", "page_cap = 1\nlisten = \"127.0.0.1:0\"\n");
    let cap = |flag: Option<&str>, environment: Option<&str>| {
        let mut command = folder.parlour();
        command.arg("serve").env("PARLOUR_CONFIG", &file);
        command.args(flag.map(|cap| format!("--page-cap={cap}")));
        if let Some(cap) = environment {
            command.env("PARLOUR_PAGE_CAP", cap);
        }
        let server = Served::launch(command).ready();
        let question = json!({ "query": "{ agents(first: 50) { totalCount } }" }).to_string();
        let answer = server.post("application/json", &question).body;
        server.stop();
        answer
            .split("at most ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .unwrap()
            .to_owned()
    };
    assert_eq!(cap(None, None), "1");
    assert_eq!(cap(None, Some("2")), "2");
    assert_eq!(cap(Some("3"), Some("2")), "3");
    assert_eq!(cap(Some("3"), None), "3");
}

#[test]
fn mistakes_in_settings_are_refused_by_name() {
    let folder = Folder::new();
    for (settings, name) in [
        (
            "databse_url = \"sqlite://x.db\"",
            "`databse_url` is not a setting",
        ),
        ("page_cap = \"many\"", "page_cap"),
        (
            "[serve]\nlisten = \"127.0.0.1:0\"",
            "`serve` is not a setting",
        ),
        ("page_cap =", "parlour.toml"),
        ("authentication = \"off\"", "authentication"),
        ("[roles]\nadmin = []", "`admin`"),
        ("[roles]\nclerk = [\"users:raed\"]", "users:raed"),
        ("roles = 1", "roles"),
    ] {
        let file = folder.write("parlour.toml", settings);
        let message = refused(folder.parlour().arg("serve").arg("--config").arg(file));
        assert!(message.contains(name), "{settings}: {message}");
    }
    for (flag, name) in [
        ("--config=nowhere.toml", "nowhere.toml"),
        ("--database-url=mysql://localhost/x", "sqlite://"),
        ("--database-url=sqlite:///no/such/folder/x.db", "database"),
    ] {
        let message = refused(folder.parlour().args(["serve", flag]));
        assert!(message.contains(name), "{flag}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_machines_are_served_with_tokens_alone() {
    everywhere(Start::Nothing, async |world| {
        let serve = |arguments: &[&str]| {
            let mut command = at(world);
            command.arg("serve").args(arguments);
            command
        };
        for listen in ["--listen=0.0.0.0:0", "--listen=[::]:0"] {
            let message = refused(&mut serve(&[listen, "--authentication=open"]));
            assert!(
                message.contains("can be reached from other machines"),
                "{message}"
            );
            assert!(message.contains("authentication"), "{message}");
            for more in [&[][..], &["--authentication=required"], &["--demo"]] {
                let message = refused(&mut serve(&[&[listen], more].concat()));
                assert!(
                    message.contains("can be reached from other machines"),
                    "{message}"
                );
                assert!(message.contains("parlour token create --name"), "{message}");
            }
        }
        let open = Served::start(serve(&["--listen=127.0.0.1:0"]));
        assert!(
            open.line
                .contains("(open to this machine, no token needed)"),
            "{}",
            open.line
        );
        open.stop();
        // Here one can make a token while it runs.
        let local = Served::start(serve(&[
            "--listen=127.0.0.1:0",
            "--authentication=required",
        ]));
        assert!(local.line.contains("(tokens needed)"), "{}", local.line);
        let question = json!({ "query": "{ __typename }" }).to_string();
        assert_eq!(local.post("application/json", &question).status, 401);
        local.stop();

        let create = ["token", "create", "--name", "first", "--role", "ADMIN"];
        text(&at(world).args(create).output().unwrap());
        let guarded = Served::start(serve(&["--listen=0.0.0.0:0"]));
        assert!(guarded.line.contains("(tokens needed)"), "{}", guarded.line);
        assert_eq!(guarded.post("application/json", &question).status, 401);
        guarded.stop();
        text(
            &at(world)
                .args(["token", "revoke", "first"])
                .output()
                .unwrap(),
        );
        refused(&mut serve(&["--listen=0.0.0.0:0"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_and_revoked() {
    everywhere(Start::Audience, async |world| {
        let token = |arguments: &[&str]| {
            let mut command = at(world);
            command.arg("token").args(arguments);
            command
        };
        let create = |arguments: &[&str]| token(&[&["create"], arguments].concat());
        let limited = [
            "--name",
            "bot",
            "--role",
            "INGEST",
            "--role",
            "VIEWER",
            "--agent",
            "support",
            "--expires",
            "30d",
        ];
        let output = create(&limited).output().unwrap();
        let secret = text(&output);
        assert!(
            secret.starts_with("parlour_") && secret.lines().count() == 1,
            "{secret}"
        );
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            told.contains("bot") && !told.contains(secret.trim()),
            "{told}"
        );
        text(
            &create(&[
                "--name",
                "ops",
                "--role",
                "ADMIN",
                "--expires",
                "2100-01-01T00:00:00+02:00",
            ])
            .output()
            .unwrap(),
        );

        let json = text(&token(&["list", "--json"]).output().unwrap());
        assert!(!json.contains(secret.trim()));
        let tokens: serde_json::Value = serde_json::from_str(&json).unwrap();
        let names: Vec<_> = tokens
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["name"])
            .collect();
        assert_eq!(names, ["ops", "bot"]);
        assert_eq!(tokens[0]["expiresAt"], "2099-12-31T22:00:00Z");
        assert_eq!(tokens[1]["roles"], json!(["INGEST", "VIEWER"]));
        assert!(
            tokens[1]["agents"][0]
                .as_str()
                .unwrap()
                .starts_with("agent_")
        );
        assert_eq!(tokens[1]["createdBy"], "parlour");

        let id = tokens[0]["id"].as_str().unwrap();
        for known in ["bot", id, id] {
            text(&token(&["revoke", known]).output().unwrap());
        }
        for unknown in ["bot", "nobody", "token_00000000000000000000000000", ""] {
            let message = refused(&mut token(&["revoke", unknown]));
            assert!(message.contains("no token is"), "{message}");
        }
        let list = text(&token(&["list"]).output().unwrap());
        assert_eq!(list.matches("; revoked 2").count(), 2, "{list}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_is_refused_with_the_reason() {
    everywhere(Start::Audience, async |world| {
        let create = |arguments: &[&str]| {
            let mut command = at(world);
            command.args(["token", "create"]).args(arguments);
            command
        };
        text(
            &create(&["--name", "bot", "--role", "VIEWER"])
                .output()
                .unwrap(),
        );
        for (arguments, told) in [
            (
                &["--name", "bot", "--role", "VIEWER"][..],
                "`bot` is the name of a token",
            ),
            (
                &["--name", "a", "--role", "VIEWR"],
                "there is no role `VIEWR`; there are ADMIN, ",
            ),
            (
                &["--name", "a", "--role", "VIEWER", "--agent", "nobody"],
                "no agent has the id `nobody`",
            ),
            (
                &[
                    "--name",
                    "a",
                    "--role",
                    "VIEWER",
                    "--agent",
                    "agent_00000000000000000000000000",
                ],
                "no agent has the id `agent_0",
            ),
            (
                &["--name", "a", "--role", "VIEWER", "--expires", "soon"],
                "`soon` is neither a span",
            ),
            (
                &["--name", "a", "--role", "VIEWER", "--expires", "999999y"],
                "`999999y` is neither a span",
            ),
            (
                &[
                    "--name",
                    "a",
                    "--role",
                    "VIEWER",
                    "--expires",
                    "2020-01-01T00:00:00Z",
                ],
                "is over already",
            ),
            (
                &["--name", "a/b", "--role", "VIEWER"],
                "name: has 1 to 64 letters",
            ),
        ] {
            let message = refused(&mut create(arguments));
            assert!(message.contains(told), "{arguments:?}: {message}");
        }
    })
    .await;
}

#[test]
fn verify_tells_whether_figures_are_right() {
    let folder = Folder::new();
    let output = folder.parlour().arg("verify").output().unwrap();
    assert_eq!(text(&output), "every stored figure equals its recount\n");
}

/// The names of all commands, with those that they are part of.
fn collect(command: &clap::Command, path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    for part in command
        .get_subcommands()
        .filter(|part| part.get_name() != "help")
    {
        path.push(part.get_name().to_owned());
        all.push(path.clone());
        collect(part, path, all);
        path.pop();
    }
}

/// What a command printed that succeeded.
fn text(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command said that failed.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder to run in, which goes when it is dropped.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn parlour(&self) -> Command {
        let mut command = parlour();
        command.current_dir(self.0.path());
        command
    }
}
