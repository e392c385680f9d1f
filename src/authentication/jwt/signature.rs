//! Signatures: the algorithms of JWTs as ring has them. Nothing here signs, and nothing here knows of secrets.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result, new_error};
use jsonwebtoken::signature::{Error as Mismatch, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ring what signatures are verified with.
pub(super) fn install() {
    // Once in a process; whoever comes second finds the same.
    PROVIDER.install_default().ok();
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the library has it")]
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn jsonwebtoken::crypto::JwtSigner>> {
    Err(new_error(ErrorKind::UnsupportedAlgorithm))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the library has it")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let wrong_key = || new_error(ErrorKind::InvalidKeyFormat);
    if key.family() != algorithm.family() {
        return Err(wrong_key());
    }
    let public = match (Way::of(*algorithm), key.kind()) {
        (Some(Way::Rsa(parameters)), DecodingKeyKind::RsaModulusExponent { n, e }) => Public::Rsa {
            parameters,
            n: without_zeros(n),
            e: without_zeros(e),
        },
        (Some(Way::Other(way)), DecodingKeyKind::SecretOrDer(point)) => Public::Other {
            way,
            point: point.clone(),
        },
        _ => return Err(wrong_key()),
    };
    Ok(Box::new(Ring {
        algorithm: *algorithm,
        public,
    }))
}

/// How ring calls a way to sign.
enum Way {
    Rsa(&'static RsaParameters),
    Other(&'static dyn VerificationAlgorithm),
}

impl Way {
    fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::RS256 => Self::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Self::Other(&ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Self::Other(&ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Self::Other(&ED25519),
            _ => return None,
        })
    }
}

enum Public {
    Rsa {
        parameters: &'static RsaParameters,
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Other {
        way: &'static dyn VerificationAlgorithm,
        point: Vec<u8>,
    },
}

/// A key, and what it verifies.
struct Ring {
    algorithm: Algorithm,
    public: Public,
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Mismatch> {
        match &self.public {
            Public::Rsa { parameters, n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Public::Other { way, point } => {
                UnparsedPublicKey::new(*way, point).verify(message, signature)
            }
        }
        .map_err(|_| Mismatch::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Some issuers write numbers with zeros before them, which ring does not read.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0);
    number[start.unwrap_or(number.len())..].to_vec()
}
