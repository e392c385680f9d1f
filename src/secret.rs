//! The text of a token: made, told from other text, and turned into the hash that is kept of it.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Internal, Result};

/// What the text of every token begins with, so that people and secret scanners know it for what it is.
pub const PREFIX: &str = "parlour_";
/// Random bytes of a secret.
const BYTES: usize = 32;
/// The same with their checksum: a whole number of base64 groups, so that a secret has one text.
const CHECKED: usize = BYTES + 4;
/// Characters after the prefix.
const CHARACTERS: usize = CHECKED / 3 * 4;

/// What its owner has and nobody else.
pub struct Secret([u8; BYTES]);

/// What is kept of a secret. The secret cannot be found from it: it has 256 random bits, so one round of a quick hash is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Secret {
    /// A new one.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| Internal::Io(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// The secret in a text, if it is the text of a token: a mistyped one fails its checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text
            .strip_prefix(PREFIX)
            .filter(|text| text.len() == CHARACTERS)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (secret, checksum) = bytes.split_first_chunk()?;
        (checksum == checksum_of(secret)).then_some(Self(*secret))
    }

    /// The text that its owner is shown, once.
    pub fn reveal(&self) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend(checksum_of(&self.0));
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What is kept of it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.0).into())
    }
}

fn checksum_of(secret: &[u8; BYTES]) -> [u8; 4] {
    crc32fast::hash(secret).to_be_bytes()
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{CHARACTERS, PREFIX, Secret};

    #[test]
    fn a_secret_is_read_as_it_is_written() {
        let secret = Secret::random().unwrap();
        let text = secret.reveal();
        assert_eq!(text.len(), PREFIX.len() + CHARACTERS);
        let read = Secret::parse(&text).unwrap();
        assert_eq!(read.fingerprint(), secret.fingerprint());
        assert_ne!(
            Secret::random().unwrap().fingerprint(),
            secret.fingerprint()
        );
    }

    #[test]
    fn every_mistyped_character_is_found() {
        let text = Secret([7; 32]).reveal();
        for at in PREFIX.len()..text.len() {
            let other = if text.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            let mut mistyped = text.clone();
            mistyped.replace_range(at..=at, other);
            assert!(Secret::parse(&mistyped).is_none(), "{mistyped}");
        }
        for garbage in [
            "",
            PREFIX,
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}="),
            &format!("{text} "),
            &text.to_uppercase(),
        ] {
            assert!(Secret::parse(garbage).is_none(), "{garbage}");
        }
    }

    #[test]
    fn a_secret_is_not_told_by_mistake() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret(…)");
    }
}
