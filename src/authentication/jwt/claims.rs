//! What a token says of its holder, read as the settings have it. The signature has been verified, and who it is from and for.

use serde_json::Value;
use std::time::Duration;

use super::json::Object;
use crate::authentication::Cause;
use crate::clock::Timestamp;
use crate::config::JwtSettings;

/// Characters of a name at most.
const MAX_NAME: usize = 200;
/// Agents that a token names at most.
const MAX_AGENTS: usize = 500;
/// What only ID tokens have (OpenID Connect Core 2 and 3.3.2.11).
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];
/// Words that Keycloak calls tokens by which are for the issuer alone.
const FOR_THE_ISSUER: [&str; 3] = ["Refresh", "Offline", "Logout"];
/// The last second of the year 9999.
const LAST: i64 = 253_402_300_799;

impl Object {
    /// The value at a path: a name as it stands, or names with dots between them.
    fn at(&self, path: &str) -> Option<&Value> {
        let value = self.0.get(path).or_else(|| {
            let mut names = path.split('.');
            let first = self.0.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        });
        value.filter(|value| !value.is_null())
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The texts at a path: a list of them, one alone, or the words of a scope (RFC 8693, 4.2).
    fn texts(&self, path: &str) -> Result<Vec<&str>, Cause> {
        match self.at(path) {
            None => Ok(Vec::new()),
            Some(Value::String(words)) if matches!(path, "scope" | "scp") => {
                Ok(words.split_ascii_whitespace().collect())
            }
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(list)) => {
                let texts = list.iter().map(Value::as_str);
                texts.collect::<Option<_>>().ok_or(Cause::WrongClaims)
            }
            Some(_) => Err(Cause::WrongClaims),
        }
    }

    /// A time in seconds since 1970, which may have a fraction.
    fn time(&self, name: &str) -> Result<Option<Timestamp>, Cause> {
        let Some(value) = self.at(name) else {
            return Ok(None);
        };
        let seconds = value.as_f64().ok_or(Cause::WrongClaims)?;
        let since = Duration::try_from_secs_f64(seconds).map_err(|_| Cause::WrongClaims)?;
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Ok(Some(Timestamp(micros.min(LAST * 1_000_000))))
    }

    /// When the token ends.
    pub(super) fn ends(&self) -> Result<Timestamp, Cause> {
        self.time("exp")?.ok_or(Cause::WrongClaims)
    }

    /// Refuses a token that was made in the future: its issuer's clock is wrong, or it is not its issuer's.
    pub(super) fn check_made(&self, latest: Timestamp) -> Result<(), Cause> {
        match self.time("iat")? {
            Some(made) if made > latest => Err(Cause::NotYetValid),
            _ => Ok(()),
        }
    }

    /// Refuses a token of the right issuer that is no access token.
    pub(super) fn check_kind(&self, settings: &JwtSettings) -> Result<(), Cause> {
        let kind = self.text("typ").unwrap_or_default();
        let id_token = kind == "ID" || OF_ID_TOKENS.iter().any(|name| self.0.contains_key(*name));
        let other = FOR_THE_ISSUER.contains(&kind) || self.0.contains_key("events");
        if other || (id_token && !settings.id_tokens) {
            return Err(Cause::WrongClaims);
        }
        Ok(())
    }

    /// The issuer, who is one: a list of issuers is nobody.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// The name of the holder, told from the names that others give.
    pub(super) fn name(&self, settings: &JwtSettings) -> Result<String, Cause> {
        let name = self.text(&settings.name_claim).ok_or(Cause::WrongClaims)?;
        let fits = !name.trim().is_empty()
            && name.chars().count() <= MAX_NAME
            && !name.chars().any(char::is_control);
        fits.then(|| format!("jwt:{name}"))
            .ok_or(Cause::WrongClaims)
    }

    /// The names of the holder's roles, each once. A value that the settings do not know gives none.
    pub(super) fn roles(&self, settings: &JwtSettings) -> Result<Vec<String>, Cause> {
        let mut roles: Vec<String> = Vec::new();
        for value in self.texts(&settings.role_claim)? {
            let role = if settings.roles.is_empty() {
                Some(value)
            } else {
                settings.roles.get(value).map(String::as_str)
            };
            if let Some(role) = role.filter(|role| !roles.iter().any(|known| known == role)) {
                roles.push(role.to_owned());
            }
        }
        Ok(roles)
    }

    /// The agents that the holder is limited to, as the token writes them; `None` where no claim limits anybody.
    pub(super) fn agents(&self, settings: &JwtSettings) -> Result<Option<Vec<&str>>, Cause> {
        let Some(claim) = &settings.agents_claim else {
            return Ok(None);
        };
        let agents = self.texts(claim)?;
        if agents.len() > MAX_AGENTS {
            return Err(Cause::WrongClaims);
        }
        Ok(Some(agents))
    }
}
