//! What can go wrong: mistakes of the client, whose text is theirs to read, and ours, which are logged once and shown as a generic message.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::ErrorCode;
use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::caller::{Permission, Principal};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any failure, by whose it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A mistake in the request: safe to show as it is.
    #[error(transparent)]
    Client(#[from] Client),
    /// A fault on our side: its text is for the log alone.
    #[error("{}", .0.shown())]
    Internal(#[from] Internal),
}

/// A mistake in the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Client {
    /// An argument's value cannot be used.
    #[error("{argument}: {reason}")]
    BadUserInput {
        /// Where in the arguments, dotted: `where.and.0.email.contains`.
        argument: String,
        /// What is wrong, and what would be right.
        reason: Cow<'static, str>,
    },
    /// Whoever asks may not use an argument.
    #[error("{argument}: needs the permission {permission}")]
    ForbiddenArgument {
        /// Where in the arguments, dotted.
        argument: String,
        /// The permission that is missing.
        permission: String,
    },
    /// The answer would be larger than one request may ask for.
    #[error("this request reads more than {limit} rows; ask for smaller pages or fewer levels")]
    TooManyRows {
        /// The limit, in rows.
        limit: u64,
    },
    /// A key that is for one request came with another.
    #[error(
        "another request came with this Idempotency-Key within the last 24 hours; give each request a key of its own"
    )]
    KeyTaken,
    /// It takes a permission that whoever asks does not have.
    #[error("this needs the permission `{}`", .0.name())]
    Forbidden(Permission),
    /// It is not for those who are limited to some agents.
    #[error("this is for those who may see every agent")]
    ForbiddenToLimited,
}

/// Refuses what somebody may not do.
pub fn permitted(principal: &Principal, permission: Permission) -> Result<()> {
    if principal.may(permission) {
        Ok(())
    } else {
        Err(Client::Forbidden(permission).into())
    }
}

/// A fault on our side.
///
/// The text is for the log; [`Internal::shown`] is what clients get.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Internal {
    /// The database refused or failed a statement.
    #[error("database: {}", told(.0))]
    Database(#[from] Arc<DbErr>),
    /// A statement took longer than it may.
    #[error("statement timeout: {}", told(.0))]
    TimedOut(Arc<DbErr>),
    /// The database could not be reached, or had no connection to spare.
    #[error("database unavailable: {}", told(.0))]
    Unavailable(Arc<DbErr>),
    /// Stored data is not what the program writes.
    #[error("stored data: {0}")]
    Corrupt(String),
    /// The operating system refused something.
    #[error("{0}")]
    Io(String),
}

impl Internal {
    /// What a client is told.
    pub const fn shown(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "the database is not available right now; try again",
            Self::TimedOut(_) => "the database took too long; ask for less",
            _ => "something went wrong on our side",
        }
    }
}

impl Error {
    /// A mistake in an argument.
    pub fn bad_input(argument: impl Into<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Client::BadUserInput {
            argument: argument.into(),
            reason: reason.into(),
        }
        .into()
    }

    /// An argument that whoever asks may not use without a permission.
    pub fn forbidden(argument: impl Into<String>, permission: impl Into<String>) -> Self {
        Client::ForbiddenArgument {
            argument: argument.into(),
            permission: permission.into(),
        }
        .into()
    }

    /// The code in `extensions.code` of the answer.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Client(Client::BadUserInput { .. }) => "BAD_USER_INPUT",
            Self::Client(Client::TooManyRows { .. }) => "COST_LIMIT_EXCEEDED",
            Self::Client(Client::KeyTaken) => "CONFLICT",
            Self::Client(
                Client::ForbiddenArgument { .. }
                | Client::Forbidden(_)
                | Client::ForbiddenToLimited,
            ) => "FORBIDDEN",
            Self::Internal(Internal::Unavailable(_)) => "UNAVAILABLE",
            Self::Internal(Internal::TimedOut(_)) => "TIMEOUT",
            Self::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let error = Arc::new(error);
        // PostgreSQL's query_canceled and SQLite's SQLITE_INTERRUPT.
        match (database_code(&error).as_deref(), &*error) {
            (Some("57014" | "9"), _) => Internal::TimedOut(error).into(),
            (Some(code), _) if says_unavailable(code) => Internal::Unavailable(error).into(),
            (_, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => {
                Internal::Unavailable(error).into()
            }
            (_, other) if is_broken(other) => Internal::Unavailable(error).into(),
            _ => Internal::Database(error).into(),
        }
    }
}

/// Whether a code of PostgreSQL says that the server goes, or has no room.
fn says_unavailable(code: &str) -> bool {
    let mut classes = ["57P", "53", "08"].iter();
    classes.any(|class| code.starts_with(class))
}

/// What may be told of an error of the database: all of it, unless its text may quote values.
pub fn told(error: &DbErr) -> String {
    let Some(database) = driver_error(error).and_then(SqlxError::as_database_error) else {
        return error.to_string();
    };
    let code = database.code().unwrap_or_default();
    if quotes_values(&code) {
        return unquoted(&code);
    }
    format!("{} (error {code})", database.message())
}

fn unquoted(code: &str) -> String {
    format!("error {code}, whose text may quote values")
}

/// PostgreSQL: data that cannot be (22), syntax errors (42601), what procedures raise (P), internal errors (XX). `SQLite`: the
/// errors that have no code of their own, as those of a search's syntax and of JSON paths.
fn quotes_values(code: &str) -> bool {
    let is_class = |class: &&str| code.len() == 5 && code.starts_with(*class);
    code == "1" || ["22", "42601", "P", "XX"].iter().any(is_class)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let text = match error.sqlite_error() {
            Some(failure) if quotes_values(&failure.extended_code.to_string()) => {
                unquoted(&failure.extended_code.to_string())
            }
            _ => error.to_string(),
        };
        let error = Arc::new(DbErr::Query(RuntimeErr::Internal(text)));
        match code {
            Some(ErrorCode::OperationInterrupted) => Internal::TimedOut(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::CannotOpen) => {
                Internal::Unavailable(error)
            }
            _ => Internal::Database(error),
        }
        .into()
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let is_lost = is_lost(&error);
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        let is_over = code == Some("57014");
        let is_unavailable = is_lost || code.is_some_and(says_unavailable);
        let error = Arc::new(DbErr::Query(RuntimeErr::Internal(said(&error))));
        match (is_over, is_unavailable) {
            (true, _) => Internal::TimedOut(error),
            (_, true) => Internal::Unavailable(error),
            _ => Internal::Database(error),
        }
        .into()
    }
}

/// What may be told of an error of PostgreSQL, or of the way to it: all of it, unless its text may quote values.
pub fn said(error: &tokio_postgres::Error) -> String {
    let Some(database) = error.as_db_error() else {
        let causes = std::iter::successors(std::error::Error::source(error), |one| one.source());
        return causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    };
    let code = database.code().code();
    if quotes_values(code) {
        return unquoted(code);
    }
    format!("{} (error {code})", database.message())
}

/// Whether the connection broke under a statement, or the server went.
pub fn is_lost(error: &tokio_postgres::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput};
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    error.is_closed()
        || cause.is_some_and(|cause| !matches!(cause.kind(), InvalidData | InvalidInput))
        || error
            .code()
            .is_some_and(|code| code.code().starts_with("57P"))
}

/// The database's own code of an error, if it is one of the database's.
pub fn database_code(error: &DbErr) -> Option<String> {
    driver_error(error)?
        .as_database_error()?
        .code()
        .map(Cow::into_owned)
}

/// Whether the connection broke under a statement.
fn is_broken(error: &DbErr) -> bool {
    matches!(
        driver_error(error),
        Some(
            SqlxError::Io(_)
                | SqlxError::Protocol(_)
                | SqlxError::PoolTimedOut
                | SqlxError::PoolClosed
        )
    )
}

fn driver_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Internal::Io(error.to_string()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::quotes_values;

    #[test]
    fn texts_that_may_quote_values_are_known_by_their_codes() {
        for code in ["22P02", "22003", "42601", "P0001", "XX000", "1"] {
            assert!(quotes_values(code), "{code}");
        }
        for code in ["23505", "57014", "42P01", "2067", "5", "11", ""] {
            assert!(!quotes_values(code), "{code}");
        }
    }
}
