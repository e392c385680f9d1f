//! JWTs: whose are taken, and what their claims mean. A table of the file; what is always needed also as flags.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::{Host, Url};

use super::ConfigFile;
use crate::error::{Error, Result};

/// The table's name in the file.
pub(super) const TABLE: &str = "jwt";
/// Most that clocks may differ, in seconds.
const MAX_LEEWAY: u64 = 300;

/// Settings of JWTs that are flags too.
#[derive(Args, Clone, Debug, Default)]
pub struct JwtFlags {
    /// Issuer whose JWTs are taken, exactly as their `iss` has it [default: none are taken]
    #[arg(long, env = "PARLOUR_JWT_ISSUER", value_name = "URL")]
    pub jwt_issuer: Option<String>,
    /// Audiences of which a JWT must name one in `aud`, separated by commas
    #[arg(
        long,
        env = "PARLOUR_JWT_AUDIENCE",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub jwt_audience: Vec<String>,
    /// Where the issuer's keys are: an address, or a file [default: what the issuer's `.well-known/openid-configuration` names]
    #[arg(long, env = "PARLOUR_JWT_JWKS", value_name = "URL|FILE")]
    pub jwt_jwks: Option<String>,
}

/// Whose JWTs are taken, and what their claims mean: the table `[jwt]` of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    /// The issuer, exactly as `iss` has it.
    pub issuer: String,
    /// Audiences; a token must name one of them in `aud`.
    #[serde(deserialize_with = "one_or_several")]
    pub audience: Vec<String>,
    /// Where the keys are: an address, or a file.
    pub jwks: Option<String>,
    /// Algorithms that a token may be signed with.
    #[serde(default = "JwtAlgorithm::all")]
    pub algorithms: Vec<JwtAlgorithm>,
    /// How far the issuer's clock may be off, in seconds.
    #[serde(default = "leeway")]
    pub leeway: u64,
    /// The claim that names somebody.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim that tells roles; dots lead into objects.
    #[serde(default = "role_claim")]
    pub role_claim: String,
    /// What the values of that claim mean: roles by value. Without any, a value is a role's name.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// The claim that tells agents, by their ids or external ids; without it, nobody is limited to some.
    pub agents_claim: Option<String>,
    /// Whether ID tokens are taken like access tokens.
    #[serde(default)]
    pub id_tokens: bool,
    /// How often the keys are looked at, in seconds.
    #[serde(default = "refresh")]
    pub refresh: u64,
}

/// A way to sign that needs no secret to verify. There are no others to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "named by RFC 7518 and RFC 8037")]
pub enum JwtAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl JwtAlgorithm {
    fn all() -> Vec<Self> {
        vec![
            Self::RS256,
            Self::RS384,
            Self::RS512,
            Self::PS256,
            Self::PS384,
            Self::PS512,
            Self::ES256,
            Self::ES384,
            Self::EdDSA,
        ]
    }
}

impl ConfigFile {
    /// Whose JWTs are taken, if any are.
    pub fn jwt(&self, flags: &JwtFlags) -> Result<Option<JwtSettings>> {
        let mut table = match self.read()?.remove(TABLE) {
            None => Map::new(),
            Some(Value::Object(table)) => table,
            Some(_) => return Err(Error::bad_input(TABLE, "is a table: `[jwt]`")),
        };
        let flags = [
            ("issuer", flags.jwt_issuer.clone().map(Value::from)),
            (
                "audience",
                (!flags.jwt_audience.is_empty()).then(|| flags.jwt_audience.clone().into()),
            ),
            ("jwks", flags.jwt_jwks.clone().map(Value::from)),
        ];
        for (name, value) in flags {
            if let Some(value) = value {
                table.insert(name.to_owned(), value);
            }
        }
        if table.is_empty() {
            return Ok(None);
        }
        let settings: JwtSettings = serde_path_to_error::deserialize(Value::Object(table))
            .map_err(|error| {
                let key = match error.path().to_string() {
                    path if path == "." => TABLE.to_owned(),
                    path => format!("{TABLE}.{path}"),
                };
                Error::bad_input(key, error.into_inner().to_string())
            })?;
        settings.check()?;
        Ok(Some(settings))
    }
}

/// Seconds between two looks at the keys at most: a key that is removed is good no longer than a minute.
const MAX_REFRESH: u64 = 55;

impl JwtSettings {
    /// The settings of an issuer, all else as it is by default.
    pub fn of(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: vec![audience.to_owned()],
            jwks: None,
            algorithms: JwtAlgorithm::all(),
            leeway: leeway(),
            name_claim: name_claim(),
            role_claim: role_claim(),
            roles: BTreeMap::new(),
            agents_claim: None,
            id_tokens: false,
            refresh: refresh(),
        }
    }

    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<()> {
        let wrong = |key: &str, reason: String| Error::bad_input(format!("{TABLE}.{key}"), reason);
        if self.issuer.is_empty() {
            return Err(wrong("issuer", "is empty".to_owned()));
        }
        match self.jwks.as_deref() {
            None => address(&self.issuer)
                .map(drop)
                .map_err(|reason| wrong("issuer", reason))?,
            Some(jwks) if is_address(jwks) => {
                address(jwks)
                    .map(drop)
                    .map_err(|reason| wrong("jwks", reason))?;
            }
            Some(_) => {}
        }
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err(wrong("audience", "names nobody".to_owned()));
        }
        if self.algorithms.is_empty() {
            return Err(wrong("algorithms", "has none".to_owned()));
        }
        if self.leeway > MAX_LEEWAY {
            return Err(wrong(
                "leeway",
                format!("is more than {MAX_LEEWAY} seconds"),
            ));
        }
        if !(1..=MAX_REFRESH).contains(&self.refresh) {
            let reason = format!(
                "is not 1 to {MAX_REFRESH} seconds: so long a key is good that was removed"
            );
            return Err(wrong("refresh", reason));
        }
        Ok(())
    }
}

/// Whether keys are at an address, and not in a file.
pub fn is_address(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// An address from which keys may come: nobody between can change what comes by HTTPS, and nobody is between on this machine.
pub fn address(text: &str) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|error| format!("`{text}` is not an address: {error}"))?;
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
        Ok(url)
    } else {
        Err(format!("`{text}` must start with https://"))
    }
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    }
}

fn leeway() -> u64 {
    30
}

fn name_claim() -> String {
    "sub".to_owned()
}

fn role_claim() -> String {
    "roles".to_owned()
}

fn refresh() -> u64 {
    50
}

/// A list, or what would be its only item.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text, or a list of texts")]
    enum Given {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(one) => vec![one],
        Given::Several(several) => several,
    })
}

#[cfg(test)]
mod tests {
    use super::{ConfigFile, JwtAlgorithm, JwtFlags, JwtSettings, address};

    fn read(text: &str) -> Result<Option<JwtSettings>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let config = ConfigFile {
            config: Some(file.path().to_owned()),
        };
        config
            .jwt(&JwtFlags::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_is_read_and_flags_beat_it() {
        let text = "page_cap = 50\n[jwt]\nissuer = \"https://id.example\"\naudience = \"parlour\"\n\
                    role_claim = \"realm_access.roles\"\n[jwt.roles]\nagent-lead = \"EDITOR\"\n";
        let settings = read(text).unwrap().unwrap();
        assert_eq!(settings.audience, ["parlour"]);
        assert_eq!(settings.roles["agent-lead"], "EDITOR");
        assert_eq!(settings.leeway, 30);
        let flags = JwtFlags {
            jwt_issuer: Some("https://other.example".to_owned()),
            jwt_audience: vec!["a".to_owned(), "b".to_owned()],
            jwt_jwks: Some("keys.json".to_owned()),
        };
        let settings = ConfigFile::default().jwt(&flags).unwrap().unwrap();
        assert_eq!(settings.issuer, "https://other.example");
        assert_eq!(settings.audience, ["a", "b"]);
        assert_eq!(read("page_cap = 50").unwrap(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        let with = |line: &str| {
            read(&format!(
                "[jwt]\nissuer = \"https://id.example\"\naudience = \"parlour\"\n{line}\n"
            ))
        };
        for (line, key) in [
            ("algorithms = [\"HS256\"]", "jwt.algorithms"),
            ("algorithms = [\"none\"]", "jwt.algorithms"),
            ("algorithms = []", "jwt.algorithms"),
            ("leeway = 3600", "jwt.leeway"),
            ("refresh = 0", "jwt.refresh"),
            ("refresh = 61", "jwt.refresh"),
            ("jwks = \"http://id.example/keys\"", "jwt.jwks"),
            ("role_clam = \"roles\"", "role_clam"),
        ] {
            let refusal = with(line).unwrap_err();
            assert!(refusal.contains(key), "{line}: {refusal}");
        }
        assert!(read("[jwt]\nissuer = \"https://id.example\"\n").is_err());
        assert!(read("jwt = 1").is_err());
        let one = with("algorithms = [\"EdDSA\"]").unwrap().unwrap();
        assert_eq!(one.algorithms, [JwtAlgorithm::EdDSA]);
    }

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for good in [
            "https://id.example/keys",
            "http://127.0.0.1:9/keys",
            "http://[::1]/",
            "http://localhost/",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example/",
            "http://127.0.0.1.example/",
            "ftp://localhost/",
            "file:///etc/passwd",
            "keys",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
