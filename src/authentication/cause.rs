//! Why somebody was not let in. For the log and the metrics: whoever asks is told the same for each of them.

/// Why nobody is known by what a request came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It came with nothing.
    Missing,
    /// It is not one bearer token in a form that is known.
    Malformed,
    /// Nobody has it.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// Its time has not come.
    NotYetValid,
    /// It is somebody else's word.
    WrongIssuer,
    /// It is for somebody else.
    WrongAudience,
    /// It is not signed by a key that is known.
    WrongKey,
    /// It is signed in a way that is not accepted.
    WrongAlgorithm,
    /// It does not tell what it has to.
    WrongClaims,
    /// It could not be looked up.
    Unavailable,
}

impl Cause {
    /// Its name in the log and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongKey => "wrong_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::WrongClaims => "wrong_claims",
            Self::Unavailable => "unavailable",
        }
    }
}
