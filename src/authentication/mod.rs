//! Who asks, by what their request came with.

mod cause;
pub mod jwt;
mod token;

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};

use crate::caller::Principal;
use crate::secret::PREFIX;
pub use cause::Cause;
pub use jwt::Jwt;
pub use token::Tokens;

/// Whether one has to say who one is, and how that is checked.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Nobody has to: everybody is this one.
    Open(Arc<Principal>),
    /// Everybody has to.
    Required {
        /// By a token of ours.
        tokens: Tokens,
        /// Or by a JWT of an issuer.
        jwt: Option<Arc<Jwt>>,
    },
}

impl Authentication {
    /// Whether nobody has to say who they are.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Who sent a request with these headers.
    pub async fn principal(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Cause> {
        match self {
            Self::Open(anyone) => Ok(anyone.clone()),
            Self::Required { .. } => {
                let mut given = headers.get_all(AUTHORIZATION).iter();
                match (given.next(), given.next()) {
                    (None, _) => Err(Cause::Missing),
                    (Some(value), None) => {
                        self.bearer(bearer(value).ok_or(Cause::Malformed)?).await
                    }
                    // Which of them counts would be anybody's guess.
                    (Some(_), Some(_)) => Err(Cause::Malformed),
                }
            }
        }
    }

    /// Who has this.
    pub async fn bearer(&self, bearer: &str) -> Result<Arc<Principal>, Cause> {
        match self {
            Self::Open(anyone) => Ok(anyone.clone()),
            Self::Required { tokens, jwt } => match bearer {
                token if token.starts_with(PREFIX) => tokens.principal(token).await,
                bearer => match jwt {
                    // Few requests have one that is not known: the others are not to carry the room for it.
                    Some(jwt) => Box::pin(jwt.principal(bearer)).await,
                    None => Err(Cause::Malformed),
                },
            },
        }
    }
}

/// What follows after `Bearer`, in any case (RFC 9110, 11.1 and RFC 6750, 2.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, bearer) = value.to_str().ok()?.split_once(' ')?;
    let bearer = bearer.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("Bearer") && !bearer.is_empty()).then_some(bearer)
}

#[cfg(test)]
mod tests {
    use super::bearer;
    use axum::http::HeaderValue;

    #[test]
    fn only_a_bearer_is_one() {
        for (value, expected) in [
            ("Bearer a", Some("a")),
            ("bearer a", Some("a")),
            ("BEARER   a ", Some("a")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic a", None),
            ("Bearera", None),
            ("a", None),
            ("", None),
        ] {
            let value = HeaderValue::from_static(value);
            assert_eq!(bearer(&value), expected, "{value:?}");
        }
        assert_eq!(
            bearer(&HeaderValue::from_bytes(b"Bearer \xff").unwrap()),
            None
        );
    }
}
