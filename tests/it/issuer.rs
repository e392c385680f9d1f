//! An issuer of JWTs, on this machine: it signs, and serves its keys as Keycloak, Auth0 and Entra do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use parlour::clock::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Made for these tests, with `openssl genpkey`: ring signs with RSA keys, and makes none.
const RSA: [&[u8]; 2] = [
    include_bytes!("../fixtures/jwt/rsa-1.pkcs8"),
    include_bytes!("../fixtures/jwt/rsa-2.pkcs8"),
];

/// A key that signs.
pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    /// A secret, which whoever knows it can sign with.
    Secret(Vec<u8>),
}

impl Key {
    pub(crate) fn rsa(which: usize) -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(RSA[which]).unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::ec("P-256")
    }

    pub(crate) fn p384() -> Self {
        Self::ec("P-384")
    }

    fn ec(curve: &'static str) -> Self {
        let way = if curve == "P-256" {
            &ECDSA_P256_SHA256_FIXED_SIGNING
        } else {
            &ECDSA_P384_SHA384_FIXED_SIGNING
        };
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(way, &random).unwrap();
        Self::Ec(
            EcdsaKeyPair::from_pkcs8(way, pair.as_ref(), &random).unwrap(),
            curve,
        )
    }

    pub(crate) fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap())
    }

    /// The public key in DER, which everybody knows.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public().as_ref().to_vec(),
            Self::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Self::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Self::Secret(_) => Vec::new(),
        }
    }

    /// The same in PEM.
    pub(crate) fn public_pem(&self) -> Vec<u8> {
        let text = BASE64_STANDARD.encode(self.public_der());
        format!("-----BEGIN RSA PUBLIC KEY-----\n{text}\n-----END RSA PUBLIC KEY-----\n")
            .into_bytes()
    }

    /// The public key as a set of keys has it.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self {
            Self::Rsa(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": text(&public.n), "e": text(&public.e) })
            }
            Self::Ec(pair, curve) => {
                let (x, y) =
                    pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Self::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
            Self::Secret(secret) => json!({ "kty": "oct", "k": text(secret) }),
        };
        jwk["kid"] = id.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// Signs whatever it is given.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let message = format!("{}.{}", text(header.as_bytes()), text(claims.as_bytes()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let way: &'static dyn ring::signature::RsaEncoding = if header.contains("PS256") {
                    &RSA_PSS_SHA256
                } else if header.contains("RS512") {
                    &RSA_PKCS1_SHA512
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(way, &random, message.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair, _) => pair
                .sign(&random, message.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
            Self::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
        };
        format!("{message}.{}", text(&signature))
    }

    /// Signs claims as most issuers do.
    pub(crate) fn token(&self, algorithm: &str, id: &str, claims: &Value) -> String {
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": id });
        self.sign(&header.to_string(), &claims.to_string())
    }
}

/// An issuer, until it is dropped.
pub(crate) struct Issuer {
    pub(crate) name: String,
    state: Arc<ServerProcess>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct ServerProcess {
    name: Mutex<String>,
    keys: Mutex<Value>,
    looks: AtomicUsize,
}

impl Issuer {
    pub(crate) async fn start(keys: &[Value]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = format!("http://{}/realms/test", listener.local_addr().unwrap());
        let state = Arc::new(ServerProcess::default());
        state.name.lock().unwrap().clone_from(&name);
        let routes = Router::new()
            .route(
                "/realms/test/.well-known/openid-configuration",
                get(configuration),
            )
            .route("/realms/test/certs", get(certificates))
            .route(
                "/moved",
                get(async || Redirect::permanent("/realms/test/certs")),
            )
            .route(
                "/elsewhere",
                get(async || Redirect::permanent("http://127.0.0.2:9/keys")),
            )
            .route("/huge", get(async || "x".repeat(3 << 20)))
            .route("/never", get(async || std::future::pending::<()>().await))
            .with_state(state.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let issuer = Self {
            name,
            state,
            serving,
        };
        issuer.rotate(keys);
        issuer
    }

    /// Has these keys from now on, among others that sign nothing.
    pub(crate) fn rotate(&self, keys: &[Value]) {
        let mut all = vec![
            json!({ "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "for-encryption", "n": Key::rsa(1).jwk("")["n"], "e": "AQAB" }),
            json!({ "kty": "EC", "crv": "secp256k1", "use": "sig", "alg": "ES256K", "kid": "bitcoin", "x": "AA", "y": "AA" }),
            json!({ "kty": "AKP", "alg": "ML-DSA-65", "kid": "of-the-future", "pub": "AA" }),
            json!({ "kty": "RSA", "kid": 7 }),
        ];
        all.extend(keys.iter().cloned());
        for key in &mut all {
            key["x5c"] = json!(["MIICmzCCAYMCBgGN"]);
            key["x5t"] = "6hyO1fW3J_WPWXYl4cQ4LDBHMRc".into();
            key["x5t#S256"] = "rrwtZDvU-OWVPTMLlOPH1Xy0UJ5_YPmJgWEz9Cnf1tg".into();
            key["issuer"] = "https://login.microsoftonline.com/{tenantid}/v2.0".into();
        }
        *self.state.keys.lock().unwrap() = json!({ "keys": all });
    }

    /// How often somebody has looked at the keys.
    pub(crate) fn looks(&self) -> usize {
        self.state.looks.load(Ordering::SeqCst)
    }

    /// The address of something that it serves.
    pub(crate) fn at(&self, path: &str) -> String {
        self.name.replace("/realms/test", path)
    }

    /// Is away from now on.
    pub(crate) async fn stop(&mut self) {
        self.serving.abort();
        (&mut self.serving).await.ok();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn configuration(State(served): State<Arc<ServerProcess>>) -> String {
    let name = served.name.lock().unwrap().clone();
    json!({
        "issuer": name,
        "authorization_endpoint": format!("{name}/auth"),
        "jwks_uri": format!("{name}/certs"),
        "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
    })
    .to_string()
}

async fn certificates(State(served): State<Arc<ServerProcess>>) -> String {
    served.looks.fetch_add(1, Ordering::SeqCst);
    served.keys.lock().unwrap().to_string()
}

/// Claims that are good for five minutes.
pub(crate) fn claims(issuer: &str) -> Value {
    let now = now();
    json!({
        "iss": issuer,
        "aud": ["account", "parlour"],
        "sub": "f3b1",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "roles": ["VIEWER"],
    })
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    Duration::from_millis(Timestamp::now().millis())
        .as_secs()
        .try_into()
        .unwrap()
}
