//! The keys of an issuer: a JWKS (RFC 7517) as far as its keys verify something, and which of them is meant.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::authentication::Cause;

/// More keys than an issuer has.
const MAX_KEYS: usize = 100;

/// The keys of an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    jwk: Jwk,
    verifies: DecodingKey,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// None has the id: the issuer may have a new one.
    Unknown,
    /// This is why, whatever the issuer has.
    Because(Cause),
}

impl Keys {
    /// Reads a set. A key that cannot verify anything here is as if it were not there: sets hold keys for much else.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set =
            serde_json::from_slice(text).map_err(|error| format!("not a set of keys: {error}"))?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!("a set of more than {MAX_KEYS} keys"));
        }
        Ok(Self(set.keys.into_iter().filter_map(Key::of).collect()))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether these are the same keys.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.jwk == b.jwk)
    }

    /// The one key with this id that fits the algorithm. Without an id, the one key that fits at all.
    pub(super) fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&DecodingKey, Missing> {
        let named = |key: &&Key| id.is_none() || key.jwk.common.key_id.as_deref() == id;
        let mut named = self.0.iter().filter(named).peekable();
        if named.peek().is_none() {
            return Err(Missing::Unknown);
        }
        let mut fitting = named.filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(&key.verifies),
            (None, _) => Err(Missing::Because(Cause::WrongAlgorithm)),
            (Some(_), Some(_)) => Err(Missing::Because(Cause::WrongKey)),
        }
    }
}

impl Key {
    fn of(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        // A secret among public keys is nobody's secret.
        if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
            return None;
        }
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = common.key_operations.as_ref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        (signs && verifies).then_some(())?;
        let verifies = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { jwk, verifies })
    }

    /// Whether it is of the kind that the algorithm wants, and not kept for another.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let kind = match &self.jwk.algorithm {
            AlgorithmParameters::RSA(_) => {
                matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
            }
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => algorithm == ES256,
                EllipticCurve::P384 => algorithm == ES384,
                _ => false,
            },
            AlgorithmParameters::OctetKeyPair(key) => {
                key.curve == EllipticCurve::Ed25519 && algorithm == EdDSA
            }
            _ => false,
        };
        let own = self.jwk.common.key_algorithm;
        kind && own.is_none_or(|own| own == algorithm.into())
    }
}
