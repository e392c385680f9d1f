//! TLS to PostgreSQL: who is believed to be the server, by the modes of libpq. The certificates in `tests/fixtures/tls` are
//! for `localhost`, by an authority that nobody knows; openssl made them.

use std::path::Path;
use std::sync::Arc;

use parlour::db::{Database, DatabaseOptions};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::harness::{Kind, Start, World};

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    folder.join(name).display().to_string()
}

/// What speaks TLS for a server that does not, and takes those alone who show a certificate, if it is `strict`.
async fn speaker(url: &Url, strict: bool) -> (u16, JoinHandle<()>) {
    let there = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let provider = Arc::new(default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = if strict {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(file("ca.pem")).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        config.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        config.with_no_client_auth()
    };
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let task = tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let (acceptor, there) = (acceptor.clone(), there.clone());
            tokio::spawn(async move {
                // The wish to speak TLS, which is granted.
                from.read_exact(&mut [0; 8]).await?;
                from.write_all(b"S").await?;
                let mut from = acceptor.accept(from).await?;
                let mut to = TcpStream::connect(there).await?;
                copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    (port, task)
}

#[tokio::test]
async fn servers_are_believed_by_the_modes_of_libpq() {
    if crate::harness::postgres_url().is_none() {
        return;
    }
    let world = World::new(Kind::Postgres, Start::Empty).await;
    let url = Url::parse(&world.url).unwrap();
    let (port, speaker_for_all) = speaker(&url, false).await;
    let (strict, speaker_for_some) = speaker(&url, true).await;
    let authority = format!("sslrootcert={}", file("ca.pem"));
    let own = format!(
        "sslcert={}&sslkey={}",
        file("server.pem"),
        file("server.key")
    );
    for (port, host, query, is_let_in) in [
        (port, "127.0.0.1", String::new(), true),
        (port, "127.0.0.1", "sslmode=require".to_owned(), true),
        (port, "localhost", "sslmode=verify-ca".to_owned(), false),
        (
            port,
            "localhost",
            format!("sslmode=verify-ca&{authority}"),
            true,
        ),
        (
            port,
            "127.0.0.1",
            format!("sslmode=verify-ca&{authority}"),
            true,
        ),
        (
            port,
            "localhost",
            format!("sslmode=verify-full&{authority}"),
            true,
        ),
        (
            port,
            "127.0.0.1",
            format!("sslmode=verify-full&{authority}"),
            false,
        ),
        (strict, "localhost", "sslmode=require".to_owned(), false),
        (strict, "localhost", format!("sslmode=require&{own}"), true),
        (
            strict,
            "localhost",
            format!("sslmode=verify-full&{authority}&{own}"),
            true,
        ),
    ] {
        let mut url = url.clone();
        url.set_host(Some(host)).unwrap();
        url.set_port(Some(port)).unwrap();
        url.set_query(Some(&query));
        let what = format!("{host}?{query}");
        match Database::open(&DatabaseOptions::new(url.as_str())).await {
            Ok(database) => {
                assert!(is_let_in, "{what}");
                for reader in [database.reader.clone(), database.reader.custom_plan()] {
                    reader.ping().await.unwrap();
                    let statement = reader.dialect().raw("SELECT 1", []);
                    assert_eq!(reader.rows(statement).await.unwrap().len(), 1);
                }
                database.close().await.unwrap();
            }
            Err(error) => {
                assert!(!is_let_in, "{what}: {error:?}");
                assert_eq!(error.code(), "UNAVAILABLE", "{what}: {error:?}");
            }
        }
    }
    speaker_for_all.abort();
    speaker_for_some.abort();
    world.end().await;
}

#[tokio::test]
async fn what_would_not_be_heeded_is_refused() {
    let missing = format!("sslmode=verify-ca&sslrootcert={}", file("nobody.pem"));
    for (query, why) in [
        ("channel_binding=require", "`channel_binding`"),
        ("target_session_attrs=read-write", "`target_session_attrs`"),
        ("connect_timeout=3&sslmode=require", "`connect_timeout`"),
        ("sslmode=sometimes", "sslmode is `disable`"),
        ("port=many", "port is not a number"),
        ("hostaddr=somewhere", "address"),
        ("sslcert=some.pem", "`sslcert` and `sslkey`"),
        (&missing, "nobody.pem"),
    ] {
        let url = format!("postgres://somebody:secret@localhost:1/some?{query}");
        let error = Database::open(&DatabaseOptions::new(url)).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), "BAD_USER_INPUT", "{query}: {error:?}");
        let text = error.to_string();
        assert!(text.starts_with("database-url: "), "{text}");
        assert!(text.contains(why), "{query}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
