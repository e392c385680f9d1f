//! A database that is held by others, does not answer, or is not what it has to be: nobody waits beyond their time, and everybody is told.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Kind, Start, World, everywhere};
use crate::server_process::{ServerProcess, at, parlour};

const CREATE: &str = r#"{"query":"mutation { createAgent(input: {externalId: \"waiting\"}) { userErrors { code } } }"}"#;
/// Far more than anything here takes, and far less than a wait that nothing bounds.
const LONG: Duration = Duration::from_secs(25);

/// A lock on the agents that another program holds, until it is dropped.
enum Lock {
    Sqlite(#[expect(dead_code, reason = "it is held")] rusqlite::Connection),
    Postgres(#[expect(dead_code, reason = "it is held")] tokio_postgres::Client),
}

impl Lock {
    async fn hold(world: &World) -> Self {
        match world.kind {
            Kind::Sqlite => {
                let file = world.url.trim_start_matches("sqlite://");
                let connection =
                    rusqlite::Connection::open(file.split('?').next().unwrap()).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                Self::Sqlite(connection)
            }
            Kind::Postgres => {
                let (client, way) = tokio_postgres::connect(&world.url, tokio_postgres::NoTls)
                    .await
                    .unwrap();
                tokio::spawn(way);
                client
                    .batch_execute("BEGIN; LOCK TABLE agents IN ACCESS EXCLUSIVE MODE")
                    .await
                    .unwrap();
                Self::Postgres(client)
            }
        }
    }
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn serve(world: &World, flags: &[&str]) -> ServerProcess {
    let mut command = at(world);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(flags);
    ServerProcess::start(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_lock_is_told_in_their_time_and_the_process_ends_in_its() {
    everywhere(Start::Empty, async |world| {
        let server = serve(
            world,
            &["--request-timeout", "1000", "--drain-timeout", "500"],
        );
        let lock = Lock::hold(world).await;
        let start = Instant::now();
        let answer = server.post("application/json", CREATE);
        let code = answer.json()["errors"][0]["extensions"]["code"].clone();
        assert!(
            ["TIMEOUT", "UNAVAILABLE"].contains(&code.as_str().unwrap()),
            "{}",
            answer.body
        );
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        drop(lock);
        let answer = server.post("application/json", CREATE);
        assert_eq!(
            answer.json()["data"]["createAgent"]["userErrors"],
            json!([]),
            "{}",
            answer.body
        );
        // Asked to stop with somebody waiting it stops, in time.
        let lock = Lock::hold(world).await;
        let address = server.address.clone();
        std::thread::spawn(move || crate::server_process::post(&address, CREATE));
        tokio::time::sleep(Duration::from_millis(300)).await;
        let start = Instant::now();
        server.stop();
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        drop(lock);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_process_at_once() {
    everywhere(Start::Empty, async |world| {
        let mut server = serve(
            world,
            &["--request-timeout", "60000", "--drain-timeout", "60000"],
        );
        let lock = Lock::hold(world).await;
        let address = server.address.clone();
        std::thread::spawn(move || crate::server_process::post(&address, CREATE));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (start, process) = (Instant::now(), server.process.id());
        signal(process, "TERM");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(
            server.process.try_wait().unwrap().is_none(),
            "requests under way have their time"
        );
        signal(process, "TERM");
        let status = tokio::task::spawn_blocking(move || server.process.wait().unwrap())
            .await
            .unwrap();
        assert_eq!(status.code(), Some(128 + 15));
        assert!(start.elapsed() < LONG);
        drop(lock);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_with_many_lists_waits_for_connections_within_its_time() {
    everywhere(Start::Audience, async |world| {
        let server = serve(world, &["--readers", "1"]);
        let lists: Vec<_> = (0..50).map(|at| format!("l{at}: chatUsers(first: 20, where: {{name: {{contains: \"{at}\"}}}}) {{ totalCount nodes {{ id }} }} ")).collect();
        let body = json!({ "query": format!("{{ {} }}", lists.join(" ")) }).to_string();
        for _ in 0..5 {
            let answer = server.post("application/json", &body).json();
            assert_eq!(answer["errors"], Value::Null);
        }
        server.stop();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_a_database_and_says_so() {
    everywhere(Start::Nothing, async |world| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"agent":{"external_id":"a"},"user":{"platform":"WEB","platform_id":"u"},"session":{"external_id":"s"},"message":{"external_id":"1","role":"user","text":"","sent_at":"2026-01-01T00:00:00Z"}}"#;
        std::fs::write(file.path(), line).unwrap();
        // Nobody is there.
        let mut absent = parlour();
        let folder = tempfile::tempdir().unwrap();
        let url = match world.kind {
            Kind::Sqlite => {
                let path = folder.path().join("held.db");
                let connection = rusqlite::Connection::open(&path).unwrap();
                connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE a (b)").unwrap();
                std::mem::forget(connection);
                format!("sqlite://{}", path.display())
            }
            Kind::Postgres => {
                let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
                format!("postgres://nobody:secret@{free}/nothing")
            }
        };
        absent.env("PARLOUR_DATABASE_URL", url).env("PARLOUR_DATABASE_WAIT", "1200");
        let output = absent.arg("import").arg(file.path()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        if world.kind == Kind::Postgres {
            assert!(told.contains("waiting for the database"), "{told}");
        }
        assert!(!told.contains("secret"), "{told}");
        // What is held comes free, and the command goes on.
        let mut first = at(world);
        assert!(first.args(["migrate", "up"]).output().unwrap().status.success());
        let lock = Lock::hold(world).await;
        let mut import = at(world);
        import.arg("import").arg("--json").arg(file.path()).stdout(Stdio::piped());
        let mut import = import.spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        drop(lock);
        let mut summary = String::new();
        import.stdout.take().unwrap().read_to_string(&mut summary).unwrap();
        assert!(import.wait().unwrap().success());
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["recorded"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_suit_is_refused_with_what_mends_it() {
    everywhere(Start::Nothing, async |world| {
        if world.kind == Kind::Sqlite {
            return;
        }
        let (client, way) = tokio_postgres::connect(&world.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(way);
        let name = format!("unsuited_{}", std::process::id());
        let make = format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        client.batch_execute(&make).await.unwrap();
        let (server, _) = world.url.rsplit_once('/').unwrap();
        let mut status = parlour();
        status.env("PARLOUR_DATABASE_URL", format!("{server}/{name}"));
        let output = status.args(["migrate", "status"]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("SQL_ASCII") && told.contains("ENCODING 'UTF8' TEMPLATE template0"), "{told}");
        client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        let away = "CREATE SCHEMA away; CREATE EXTENSION btree_gin SCHEMA away";
        client.batch_execute(away).await.unwrap();
        let output = at(world).args(["migrate", "up"]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("ALTER EXTENSION btree_gin SET SCHEMA public;"), "{told}");
    })
    .await;
}

#[test]
fn what_holds_personal_data_is_made_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        folder
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    std::fs::write(folder.path().join("lines"), "nonsense\n").unwrap();
    let mut command = parlour();
    command.current_dir(folder.path()).args([
        "import",
        "lines",
        "--rejects",
        "rejects",
        "--database-url",
        "sqlite://made.db",
    ]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    assert_eq!((mode("made.db"), mode("rejects")), (0o600, 0o600));
}

#[test]
fn a_mistake_in_the_file_of_settings_shows_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parlour.toml");
    for text in [
        "listen = \"127.0.0.1:0\"\ndatabase_url = \"postgres://u:secret@h/d\n",
        "\ndatabase_url = postgres://u:secret@h/d\n",
        "\ndatabase_url = \"a\" \"secret\"\n",
        "\n[database_url]\nsecret = 1\n[database_url]\n",
        "readers = \"postgres://u:secret@h/line 1\"\n",
    ] {
        std::fs::write(&file, text).unwrap();
        let output = parlour()
            .args(["migrate", "status", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && !told.contains("secret"),
            "{told}"
        );
    }
}
