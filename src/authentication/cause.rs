//! Why somebody is not who they say they are. Only the log is told.

/// Why what somebody brought proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing was brought.
    Missing,
    /// It has not the form that it should have.
    Malformed,
    /// Nobody has it.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// Its time has not come.
    NotYetValid,
    /// Somebody else issued it.
    WrongIssuer,
    /// It is for somebody else.
    WrongAudience,
    /// It is signed with another key.
    WrongKey,
    /// It is signed in a way that is not taken.
    WrongAlgorithm,
    /// What it says of its holder is not enough.
    WrongClaims,
    /// It cannot be looked at right now.
    Unavailable,
}

impl Cause {
    /// Its name in the log.
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
