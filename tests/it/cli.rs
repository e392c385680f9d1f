//! The command line, run as people run it: the real binary, with a real database and a real socket.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory;
use parlour::cli::Cli;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Start, World, everywhere};
use crate::server_process::{ServerProcess, at, parlour};

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
        let steps = down_to(world, "m0012_trimmed_tags").to_string();
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
        let server = ServerProcess::start(at(world));
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
        let starting = [
            ServerProcess::launch(at(world)),
            ServerProcess::launch(at(world)),
        ];
        let servers = starting.map(ServerProcess::ready);
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
        ServerProcess::start(command).stop();
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
        let server = ServerProcess::launch(command).ready();
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
        let open = ServerProcess::start(serve(&["--listen=127.0.0.1:0"]));
        assert!(
            open.line
                .contains("(open to this machine, no token needed)"),
            "{}",
            open.line
        );
        open.stop();
        // Here one can make a token while it runs.
        let local = ServerProcess::start(serve(&[
            "--listen=127.0.0.1:0",
            "--authentication=required",
        ]));
        assert!(local.line.contains("(tokens needed)"), "{}", local.line);
        let question = json!({ "query": "{ __typename }" }).to_string();
        assert_eq!(local.post("application/json", &question).status, 401);
        local.stop();

        let create = ["token", "create", "--name", "first", "--role", "ADMIN"];
        text(&at(world).args(create).output().unwrap());
        let guarded = ServerProcess::start(serve(&["--listen=0.0.0.0:0"]));
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

#[test]
fn a_clock_that_a_preloaded_library_moves_is_the_programs_clock() {
    const LIBRARIES: [&str; 2] = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    ];
    let Some(library) = LIBRARIES.into_iter().find(|file| Path::new(file).exists()) else {
        eprintln!("skipped: libfaketime is not installed");
        return;
    };
    let folder = Folder::new();
    // Far ahead of the clock of the machine, and not of this one.
    let line = exchange("1", "{}").replace("2026-01-01T00:00:00Z", "2041-06-01T00:00:00Z");
    let file = folder.write("lines", &line);
    let mut import = folder.parlour();
    import
        .args(["import", "--json", "--database-url", "sqlite://moved.db"])
        .arg(&file);
    let refused: Value = serde_json::from_slice(&import.output().unwrap().stdout).unwrap();
    assert_eq!(refused["rejected"], 1);
    import
        .env("LD_PRELOAD", library)
        .env("FAKETIME", "@2041-06-01 12:00:00");
    let taken: Value = serde_json::from_slice(&import.output().unwrap().stdout).unwrap();
    assert_eq!(taken["recorded"], 1);
}

/// A line of the exchange format, with settings.
fn exchange(message: &str, settings: &str) -> String {
    format!(
        r#"{{"agent":{{"external_id":"a"}},"user":{{"platform":"WEB","platform_id":"u","settings":{settings}}},"session":{{"external_id":"s"}},"message":{{"external_id":"{message}","role":"user","text":"é","sent_at":"2026-01-01T00:00:00Z"}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_names_files_of_other_kinds_once_and_takes_the_rest() {
    everywhere(Start::Nothing, async |world| {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let file = folder.path().join(name);
            std::fs::write(&file, bytes).unwrap();
            file
        };
        let lines = |numbers: std::ops::Range<i32>| -> String {
            numbers
                .map(|number| exchange(&number.to_string(), "{}") + "\n")
                .collect()
        };
        let utf16: Vec<u8> = lines(90..95)
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut wide = zstd::Encoder::new(Vec::new(), 1).unwrap();
        wide.window_log(30).unwrap();
        std::io::Write::write_all(&mut wide, lines(0..3).as_bytes()).unwrap();
        let wide = write("wide.zst", &wide.finish().unwrap());
        let joined = write(
            "joined",
            format!("\u{feff}{}\u{feff}{}", lines(3..5), lines(5..7)).as_bytes(),
        );
        let escaped = lines(7..8).replace('é', &"\\u00e9".repeat(1 << 20));
        let escaped = write("escaped", escaped.as_bytes());
        let array = write(
            "array.json",
            format!("[{},{}]", exchange("80", "{}"), exchange("81", "{}")).as_bytes(),
        );
        let archive = write("archive.zip", b"PK\x03\x04 and so on\nand so on\n");
        let utf16 = write("utf16", &utf16);
        let run = |more: &[&str]| {
            let mut command = at(world);
            command
                .args(["import", "--json"])
                .args(more)
                .args([&wide, &joined, &escaped, &array, &archive, &utf16]);
            let output = command.output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
            (summary, told)
        };
        let (summary, told) = run(&[]);
        assert_eq!(
            (
                &summary["recorded"],
                &summary["rejected"],
                &summary["files"]
            ),
            (&json!(5), &json!(0), &json!(2)),
            "{told}"
        );
        for (file, what) in [
            ("wide.zst", "--zstd-window-log 31"),
            ("array.json", "JSON array"),
            ("archive.zip", "zip"),
            ("utf16", "UTF-16"),
        ] {
            let about: Vec<_> = told
                .lines()
                .filter(|line| line.contains(&format!("/{file} ")))
                .collect();
            assert!(
                about.len() == 1 && about[0].contains(what),
                "{file}: {told}"
            );
        }
        let (summary, told) = run(&["--zstd-window-log", "31"]);
        assert_eq!(
            (
                &summary["recorded"],
                &summary["duplicates"],
                &summary["files"]
            ),
            (&json!(3), &json!(5), &json!(3)),
            "{told}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_reading_would_change_are_rejected_by_their_key() {
    everywhere(Start::Nothing, async |world| {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            (r#"{"a":1,"a":2}"#, "user.settings.a: is there more than once"),
            (r#"{"a":{"b":[{},{"c":1,"\u0063":2}]}}"#, "user.settings.a.b.1.c: is there more than once"),
            (r#"{"a":18446744073709551616}"#, "user.settings.a: is a number with more digits"),
            (r#"{"a":[1e400]}"#, "number out of range"),
            (r#"{"a":0.12345678901234567890}"#, "user.settings.a: is a number with more digits"),
        ];
        let mut lines: Vec<_> = settings.iter().enumerate().map(|(at, (settings, _))| exchange(&at.to_string(), settings)).collect();
        let kept = r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":0.1,"d":1.2345678901234567,"e":1e-7}"#;
        lines.push(exchange("kept", kept));
        let file = folder.path().join("lines");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let mut command = at(world);
        let output = command.arg("import").arg(&file).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        for (at, (_, reason)) in settings.iter().enumerate() {
            let line = told.lines().find(|line| line.contains(&format!("lines:{}:", at + 1))).unwrap();
            assert!(line.contains(reason), "{line}");
        }
        let data = world.ask("{ chatUsers { nodes { settings messages { nodes { externalId } } } } }", json!({})).await;
        let user = &data["chatUsers"]["nodes"][0];
        assert_eq!(user["messages"]["nodes"], json!([{ "externalId": "kept" }]));
        let expected: Value = serde_json::from_str(kept).unwrap();
        assert_eq!(user["settings"].to_string(), expected.to_string());
    })
    .await;
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
