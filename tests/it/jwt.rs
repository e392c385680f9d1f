//! JWTs: whose are taken, and whose are not.

use std::time::{Duration, Instant};

use parlour::authentication::Cause;
use parlour::authentication::jwt::Jwt;
use parlour::caller::{Agents, Permission, Permissions, Principal, Role};
use parlour::config::{JwtAlgorithm, JwtSettings};
use parlour::db::Reader;
use parlour::id::ObjectKind;
use sea_orm::Iterable;
use serde_json::{Value, json};

use crate::harness::{Kind, Start, World, everywhere};
use crate::issuer::{Issuer, Key, claims, now};

fn roles(name: &str) -> Option<Permissions> {
    let role = Role::iter().find(|role| role.name() == name)?;
    Some(role.permissions())
}

async fn take(settings: JwtSettings, reader: &Reader) -> Jwt {
    Jwt::start(settings, Box::new(roles), reader.clone())
        .await
        .unwrap()
}

/// Runs a test with an issuer of these keys, whose tokens are taken.
async fn with(keys: &[Value], test: impl AsyncFn(&mut Issuer, &Jwt)) {
    let world = World::new(Kind::Sqlite, Start::Audience).await;
    let mut issuer = Issuer::start(keys).await;
    let settings = JwtSettings::of(&issuer.name, "parlour");
    let jwt = take(settings, &world.database.reader).await;
    test(&mut issuer, &jwt).await;
    world.end().await;
}

async fn refusal(jwt: &Jwt, token: &str) -> Option<Cause> {
    jwt.principal(token).await.err()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_algorithm_is_taken_with_its_key() {
    let (rsa, p256, p384, ed) = (Key::rsa(0), Key::p256(), Key::p384(), Key::ed25519());
    let keys = [rsa.jwk("r"), p256.jwk("e"), p384.jwk("f"), ed.jwk("d")];
    with(&keys, async |issuer, jwt| {
        let claims = claims(&issuer.name);
        for (key, algorithm, id) in [
            (&rsa, "RS256", "r"),
            (&rsa, "RS512", "r"),
            (&rsa, "PS256", "r"),
            (&p256, "ES256", "e"),
            (&p384, "ES384", "f"),
            (&ed, "EdDSA", "d"),
        ] {
            let token = key.token(algorithm, id, &claims);
            // Once verified, once remembered.
            for _ in 0..2 {
                let holder = jwt.principal(&token).await;
                let holder = holder.unwrap_or_else(|cause| panic!("{algorithm}: {cause:?}"));
                assert_eq!(holder.name, "jwt:f3b1");
                assert_eq!(holder.roles, ["VIEWER"]);
                assert_eq!(holder.permissions, Role::Viewer.permissions());
                assert_eq!(holder.agents, Agents::All);
                let ends = claims["exp"].as_i64().unwrap() * 1_000_000;
                assert_eq!(holder.expires_at.unwrap().0, ends);
            }
            // The algorithm of another family, or another hash, with the same key.
            for other in ["RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA"] {
                if other != algorithm {
                    let token = key.token(other, id, &claims);
                    let refusal = refusal(jwt, &token).await;
                    let same = (algorithm, other) == ("RS512", "RS256")
                        || (algorithm, other) == ("PS256", "RS256")
                        || (algorithm, other) == ("RS256", "PS256")
                        || (algorithm, other) == ("RS512", "PS256");
                    assert_eq!(refusal.is_none(), same, "{algorithm} as {other}");
                }
            }
        }
        assert_eq!(issuer.looks(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_do_not_hold_are_refused() {
    let key = Key::p256();
    with(&[key.jwk("k")], async |issuer, jwt| {
        let now = now();
        let good = claims(&issuer.name);
        for (name, value, expected) in [
            (
                "iss",
                json!("https://evil.example"),
                Some(Cause::WrongIssuer),
            ),
            ("iss", json!([issuer.name]), Some(Cause::WrongIssuer)),
            (
                "iss",
                json!(format!("{}/", issuer.name)),
                Some(Cause::WrongIssuer),
            ),
            ("iss", Value::Null, Some(Cause::WrongIssuer)),
            ("aud", json!("parlour"), None),
            ("aud", json!("Parlour"), Some(Cause::WrongAudience)),
            ("aud", json!(["a", "b"]), Some(Cause::WrongAudience)),
            ("aud", json!([]), Some(Cause::WrongAudience)),
            ("aud", json!({ "parlour": 1 }), Some(Cause::WrongAudience)),
            ("aud", Value::Null, Some(Cause::WrongAudience)),
            ("exp", json!(now - 31), Some(Cause::Expired)),
            ("exp", json!(now - 20), None),
            ("exp", json!(0), Some(Cause::Expired)),
            ("exp", json!(-1), Some(Cause::WrongClaims)),
            ("exp", json!("9999999999"), Some(Cause::WrongClaims)),
            ("exp", json!(1e300), Some(Cause::WrongClaims)),
            ("exp", Value::Null, Some(Cause::WrongClaims)),
            ("nbf", json!(now + 60), Some(Cause::NotYetValid)),
            ("nbf", json!(now + 20), None),
            ("nbf", json!("99999999999"), Some(Cause::WrongClaims)),
            ("iat", json!(now + 60), Some(Cause::NotYetValid)),
            ("iat", json!(now + 20), None),
            ("iat", json!("now"), Some(Cause::WrongClaims)),
            ("iat", Value::Null, None),
            ("sub", Value::Null, Some(Cause::WrongClaims)),
            ("sub", json!(" "), Some(Cause::WrongClaims)),
            ("sub", json!(7), Some(Cause::WrongClaims)),
            ("sub", json!("a\nb"), Some(Cause::WrongClaims)),
            ("sub", json!("x".repeat(201)), Some(Cause::WrongClaims)),
            ("sub", json!("Ärztin 🦀"), None),
            ("roles", Value::Null, Some(Cause::WrongClaims)),
            ("roles", json!([]), Some(Cause::WrongClaims)),
            (
                "roles",
                json!(["viewer", "OWNER"]),
                Some(Cause::WrongClaims),
            ),
            ("roles", json!(["OWNER", "VIEWER"]), None),
            ("roles", json!({ "VIEWER": true }), Some(Cause::WrongClaims)),
            ("roles", json!(["VIEWER", 1]), Some(Cause::WrongClaims)),
            // Other tokens of the same issuer.
            ("nonce", json!("n-0S6"), Some(Cause::WrongClaims)),
            ("at_hash", json!("77Qm"), Some(Cause::WrongClaims)),
            ("typ", json!("ID"), Some(Cause::WrongClaims)),
            ("typ", json!("Refresh"), Some(Cause::WrongClaims)),
            ("typ", json!("Bearer"), None),
            (
                "events",
                json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
                Some(Cause::WrongClaims),
            ),
        ] {
            let mut claims = good.clone();
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                ref value => claims[name] = value.clone(),
            }
            let token = key.token("ES256", "k", &claims);
            assert_eq!(refusal(jwt, &token).await, expected, "{name}: {value}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_key_of_the_issuer_gets_nowhere() {
    let rsa = Key::rsa(0);
    let keys = [
        rsa.jwk("k"),
        json!({ "kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256" }),
    ];
    with(&keys, async |issuer, jwt| {
        let claims = claims(&issuer.name).to_string();
        let refused = async |key: &Key, header: Value| {
            let token = key.sign(&header.to_string(), &claims);
            let refusal = refusal(jwt, &token).await;
            refusal.unwrap_or_else(|| panic!("{header} is taken"))
        };
        // What everybody knows, as the secret of a symmetric algorithm.
        for secret in [
            rsa.public_der(),
            rsa.public_pem(),
            Vec::new(),
            b"secret".to_vec(),
        ] {
            for (algorithm, id) in [
                ("HS256", "k"),
                ("HS512", "k"),
                ("hs256", "k"),
                ("HS256", "s"),
                ("RS256", "s"),
            ] {
                let key = Key::Secret(secret.clone());
                let cause = refused(&key, json!({ "alg": algorithm, "kid": id })).await;
                assert!(
                    matches!(cause, Cause::WrongAlgorithm | Cause::WrongKey),
                    "{cause:?}"
                );
            }
        }
        for none in ["none", "None", "NONE", "nOnE", "", "RS257", "ES256K"] {
            let cause = refused(&Key::Secret(Vec::new()), json!({ "alg": none, "kid": "k" })).await;
            assert_eq!(cause, Cause::WrongAlgorithm, "{none}");
        }
        let unsigned = rsa.token("none", "k", &serde_json::from_str(&claims).unwrap());
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert_eq!(refusal(jwt, &unsigned).await, Some(Cause::WrongAlgorithm));
        let empty = format!(
            "{}.",
            rsa.sign(r#"{"alg":"RS256","kid":"k"}"#, &claims)
                .rsplit_once('.')
                .unwrap()
                .0
        );
        assert_eq!(refusal(jwt, &empty).await, Some(Cause::WrongKey));
        // Nothing of it made the issuer be asked more than once.
        assert_eq!(issuer.looks(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_chooses_nothing_but_a_key_of_the_issuer() {
    let (rsa, own) = (Key::rsa(0), Key::p256());
    with(&[rsa.jwk("k")], async |issuer, jwt| {
        let claims = claims(&issuer.name).to_string();
        let refused = async |key: &Key, header: Value| {
            let token = key.sign(&header.to_string(), &claims);
            let refusal = refusal(jwt, &token).await;
            refusal.unwrap_or_else(|| panic!("{header} is taken"))
        };
        // A key of their own, brought along or pointed at.
        let address = issuer.at("/realms/test/certs");
        for (name, value) in [
            ("jwk", own.jwk("k")),
            ("jku", json!(address)),
            ("x5u", json!(address)),
            ("x5c", json!(["MIICmzCC"])),
        ] {
            let header = json!({ "alg": "ES256", "kid": "k", name: value });
            assert_eq!(refused(&own, header).await, Cause::WrongAlgorithm, "{name}");
            let header = json!({ "alg": "RS256", "kid": "k", name: value });
            assert_eq!(
                refused(&Key::rsa(1), header.clone()).await,
                Cause::WrongKey,
                "{name}"
            );
            // And the right one beside it changes nothing.
            let token = rsa.sign(&header.to_string(), &claims);
            assert_eq!(refusal(jwt, &token).await, None, "{name}");
        }
        // Headers that nobody may go past.
        for (header, expected) in [
            (
                json!({ "alg": "RS256", "kid": "k", "crit": ["exp"] }),
                Cause::Malformed,
            ),
            (
                json!({ "alg": "RS256", "kid": "k", "crit": [], "b64": false }),
                Cause::Malformed,
            ),
            (json!({ "alg": "RS256", "kid": 1 }), Cause::Malformed),
            (json!({ "kid": "k" }), Cause::Malformed),
            (json!({ "alg": ["RS256"], "kid": "k" }), Cause::Malformed),
            (
                json!({ "alg": "RS256", "kid": "k", "typ": "logout+jwt" }),
                Cause::WrongClaims,
            ),
            (
                json!({ "alg": "RS256", "kid": "k", "typ": "dpop+jwt" }),
                Cause::WrongClaims,
            ),
        ] {
            assert_eq!(refused(&rsa, header.clone()).await, expected, "{header}");
        }
        let at = rsa.sign(r#"{"alg":"RS256","kid":"k","typ":"AT+JWT"}"#, &claims);
        assert_eq!(refusal(jwt, &at).await, None);
        // Keys of the issuer that are for something else, and names that are paths or statements.
        for id in [
            "for-encryption",
            "bitcoin",
            "of-the-future",
            "../../etc/passwd",
            "/dev/null",
            "k' OR '1'='1",
            "k\0",
            "",
            "K",
        ] {
            let cause = refused(&rsa, json!({ "alg": "RS256", "kid": id })).await;
            assert_eq!(cause, Cause::WrongKey, "{id}");
        }
        // All of them together made the issuer be asked once.
        assert_eq!(issuer.looks(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_is_refused() {
    let key = Key::p256();
    with(&[key.jwk("k")], async |issuer, jwt| {
        let good = claims(&issuer.name);
        let token = key.token("ES256", "k", &good);
        let header = r#"{"alg":"ES256","kid":"k"}"#;
        let twice = |pair: &str| good.to_string().replacen('{', &format!("{{{pair},"), 1);
        let mut wrong = vec![
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "...".to_owned(),
            "a.b.c".to_owned(),
            "🦀.🦀.🦀".to_owned(),
            token.replace('.', ""),
            format!("{token}."),
            format!(".{token}"),
            format!(" {token}"),
            format!("{token}="),
            token[1..].to_owned(),
            key.sign("{", "{"),
            key.sign("[]", "[]"),
            key.sign("null", "null"),
            key.sign(header, "[]"),
            key.sign(header, "1"),
            key.sign(header, ""),
            key.sign(header, &("{\"a\":".repeat(300) + "1")),
            key.sign(&("{\"a\":".repeat(300) + "1"), "{}"),
            // Two values under one name.
            key.sign(header, &twice("\"roles\":[\"ADMIN\"]")),
            key.sign(header, &twice("\"sub\":\"somebody\"")),
            key.sign(header, &twice("\"iss\":\"https://evil.example\"")),
            key.sign(header, &twice("\"\\u0065xp\":1")),
            key.sign(
                r#"{"alg":"ES256","alg":"none","kid":"k"}"#,
                &good.to_string(),
            ),
            key.sign(r#"{"alg":"ES256","kid":"a","kid":"k"}"#, &good.to_string()),
        ];
        // Beyond the bound, however good it is.
        let mut long = good.clone();
        long["padding"] = "x".repeat(16 << 10).into();
        wrong.push(key.token("ES256", "k", &long));
        wrong.push("x".repeat(10 << 20));
        for token in wrong {
            let shown: String = token.chars().take(200).collect();
            assert_eq!(
                refusal(jwt, &token).await,
                Some(Cause::Malformed),
                "{shown}"
            );
        }
        // A bit of it changed.
        let changed = token.replacen('a', "b", 1);
        assert!(changed == token || refusal(jwt, &changed).await.is_some());
        assert_eq!(refusal(jwt, &token).await, None);
        assert_eq!(issuer.looks(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_without_a_restart() {
    let (old, new, newer) = (Key::rsa(0), Key::rsa(1), Key::p256());
    with(&[old.jwk("old")], async |issuer, jwt| {
        let claims = claims(&issuer.name);
        let by_old = old.token("RS256", "old", &claims);
        let by_new = new.token("RS256", "new", &claims);
        assert_eq!(refusal(jwt, &by_old).await, None);
        // Both are there for a while; who comes with the new key makes the issuer be asked, once for all of them.
        issuer.rotate(&[old.jwk("old"), new.jwk("new")]);
        let asking = (0..10).map(|_| jwt.principal(&by_new));
        let answers = futures_util::future::join_all(asking).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(issuer.looks(), 2);
        assert_eq!(refusal(jwt, &by_old).await, None);
        // A flood of keys that nobody has is no flood for the issuer.
        for number in 0..200 {
            let token = new.token("RS256", &format!("made up {number}"), &claims);
            assert_eq!(refusal(jwt, &token).await, Some(Cause::WrongKey));
        }
        assert_eq!(issuer.looks(), 2);
        // The old key goes: what it signed is worth nothing from the next look on, though it was taken a moment ago.
        assert_eq!(refusal(jwt, &by_old).await, None);
        issuer.rotate(&[new.jwk("new"), newer.jwk("newer")]);
        jwt.refresh().await.unwrap();
        assert_eq!(refusal(jwt, &by_old).await, Some(Cause::WrongKey));
        assert_eq!(refusal(jwt, &by_new).await, None);
        assert_eq!(
            refusal(jwt, &newer.token("ES256", "newer", &claims)).await,
            None
        );
        // An issuer that takes everything back.
        issuer.rotate(&[]);
        jwt.refresh().await.unwrap();
        assert_eq!(refusal(jwt, &by_new).await, Some(Cause::WrongKey));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_keeps_nobody_waiting() {
    let (known, unknown) = (Key::p256(), Key::p256());
    with(&[known.jwk("k")], async |issuer, jwt| {
        let claims = claims(&issuer.name);
        issuer.stop().await;
        assert!(jwt.refresh().await.is_err());
        let start = Instant::now();
        for number in 0..20 {
            let token = unknown.token("ES256", &format!("u{number}"), &claims);
            assert_eq!(refusal(jwt, &token).await, Some(Cause::WrongKey));
            assert_eq!(
                refusal(jwt, &known.token("ES256", "k", &claims)).await,
                None
            );
        }
        assert!(start.elapsed() < Duration::from_secs(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_may_come_later_than_its_tokens() {
    let world = World::new(Kind::Sqlite, Start::Empty).await;
    let key = Key::p256();
    let issuer = Issuer::start(&[]).await;
    issuer.rotate(&[key.jwk("k")]);
    let claims = claims(&issuer.name);
    let token = key.token("ES256", "k", &claims);
    for path in ["/missing", "/huge", "/elsewhere", "/never"] {
        let mut settings = JwtSettings::of(&issuer.name, "parlour");
        settings.jwks = Some(issuer.at(path));
        let jwt = take(settings, &world.database.reader).await;
        assert_eq!(
            refusal(&jwt, &token).await,
            Some(Cause::Unavailable),
            "{path}"
        );
    }
    assert_eq!(issuer.looks(), 0);
    let mut settings = JwtSettings::of(&issuer.name, "parlour");
    settings.jwks = Some(issuer.at("/moved"));
    let jwt = take(settings, &world.database.reader).await;
    assert_eq!(refusal(&jwt, &token).await, None);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_names_no_key_needs_the_only_one() {
    let (rsa, ec) = (Key::rsa(0), Key::p256());
    with(&[rsa.jwk("r"), ec.jwk("e")], async |issuer, jwt| {
        let claims = claims(&issuer.name).to_string();
        let token = ec.sign(r#"{"alg":"ES256"}"#, &claims);
        assert_eq!(refusal(jwt, &token).await, None);
        let other = ec.sign(r#"{"alg":"EdDSA"}"#, &claims);
        assert_eq!(refusal(jwt, &other).await, Some(Cause::WrongAlgorithm));
        issuer.rotate(&[rsa.jwk("r"), ec.jwk("e"), Key::p256().jwk("e2")]);
        jwt.refresh().await.unwrap();
        assert_eq!(refusal(jwt, &token).await, Some(Cause::WrongKey));
        // A key that is kept for one algorithm, or for something else than verifying, serves no other.
        let mut own = rsa.jwk("r");
        own["alg"] = "PS256".into();
        let mut signs = ec.jwk("e");
        signs["key_ops"] = json!(["sign"]);
        issuer.rotate(&[own, signs]);
        jwt.refresh().await.unwrap();
        for (algorithm, expected) in [("RS256", Some(Cause::WrongAlgorithm)), ("PS256", None)] {
            let header = json!({ "alg": algorithm, "kid": "r" }).to_string();
            assert_eq!(refusal(jwt, &rsa.sign(&header, &claims)).await, expected);
        }
        assert!(refusal(jwt, &token).await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_agents_are_read_as_configured() {
    let key = Key::ed25519();
    everywhere(Start::Audience, async |world| {
        let reader = &world.database.reader;
        let agents = world
            .ask("{ agents { nodes { id externalId } } }", json!({}))
            .await;
        let id_of = |external: &str| {
            let nodes = agents["agents"]["nodes"].as_array().unwrap();
            let node = nodes
                .iter()
                .find(|node| node["externalId"] == external)
                .unwrap();
            node["id"].as_str().unwrap().to_owned()
        };
        let uuid = |id: &str| ObjectKind::Agent.decode(id).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        std::fs::write(&file, json!({ "keys": [key.jwk("k")] }).to_string()).unwrap();
        let mut settings = JwtSettings::of("https://id.example", "parlour");
        settings.jwks = Some(file.display().to_string());
        settings.name_claim = "preferred_username".to_owned();
        settings.role_claim = "realm_access.roles".to_owned();
        settings.agents_claim = Some("https://parlour.example/agents".to_owned());
        settings.roles = [("desk-lead", "SUPPORT"), ("desk-data", "ANALYST")]
            .map(|(value, role)| (value.to_owned(), role.to_owned()))
            .into();
        settings.algorithms = vec![JwtAlgorithm::EdDSA];
        settings.id_tokens = true;
        let jwt = take(settings.clone(), reader).await;
        let mut claims = claims("https://id.example");
        claims["preferred_username"] = "Ann".into();
        claims["nonce"] = "an ID token".into();
        claims["realm_access"] =
            json!({ "roles": ["desk-data", "offline_access", "desk-lead", "ADMIN", "desk-lead"] });
        let holder = async |claims: &Value| -> Result<Principal, Cause> {
            let found = jwt.principal(&key.token("EdDSA", "k", claims)).await;
            found.map(|holder| (*holder).clone())
        };
        let plain = holder(&claims).await.unwrap();
        assert_eq!(plain.name, "jwt:Ann");
        assert_eq!(plain.roles, ["ANALYST", "SUPPORT"]);
        assert!(plain.may(Permission::Export) && plain.may(Permission::UsersPii));
        assert!(!plain.may(Permission::TokensWrite));
        // Without the claim, and with what names none: nobody at all.
        assert_eq!(plain.agents, Agents::only([]));
        for (named, expected) in [
            (json!([]), vec![]),
            (
                json!(["nobody", "", "x\0", "' OR 1=1 --", "all", "*"]),
                vec![],
            ),
            (json!("desk"), vec!["desk"]),
            (
                json!(["desk", "support", "desk", "nobody"]),
                vec!["desk", "support"],
            ),
            (
                json!(["bots/quiet 🦀", id_of("sales")]),
                vec!["bots/quiet 🦀", "sales"],
            ),
            (json!(["DESK"]), vec![]),
        ] {
            claims["https://parlour.example/agents"] = named.clone();
            let expected = Agents::only(expected.iter().map(|external| uuid(&id_of(external))));
            assert_eq!(holder(&claims).await.unwrap().agents, expected, "{named}");
        }
        for wrong in [
            json!(true),
            json!([1]),
            json!({ "desk": 1 }),
            json!(vec!["desk"; 501]),
        ] {
            claims["https://parlour.example/agents"] = wrong.clone();
            assert_eq!(holder(&claims).await, Err(Cause::WrongClaims), "{wrong}");
        }
        // A scope is words.
        settings.role_claim = "scope".to_owned();
        let jwt = take(settings.clone(), reader).await;
        let mut claims = crate::issuer::claims("https://id.example");
        claims["preferred_username"] = "Ann".into();
        claims["scope"] = "openid desk-lead email".into();
        let taken = jwt.principal(&key.token("EdDSA", "k", &claims)).await;
        assert_eq!(taken.unwrap().roles, ["SUPPORT"]);
        // Mistakes in the settings are told before anybody asks.
        settings.roles.insert("boss".to_owned(), "OWNER".to_owned());
        let refused = Jwt::start(settings.clone(), Box::new(roles), reader.clone()).await;
        assert!(refused.unwrap_err().to_string().contains("jwt.roles.boss"));
        settings.roles.clear();
        settings.jwks = Some("/nowhere/keys.json".to_owned());
        let refused = Jwt::start(settings, Box::new(roles), reader.clone()).await;
        assert!(refused.unwrap_err().to_string().contains("jwt.jwks"));
    })
    .await;
}
