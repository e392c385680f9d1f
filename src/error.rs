//! What can go wrong: mistakes of the client, whose text is theirs to read, and ours, which are logged once and shown as a generic message.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::ErrorCode;
use sea_orm::{DbErr, RuntimeErr};

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
    #[error("{argument}: requires the permission {permission}")]
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
    /// The answer would have more text than one may have.
    #[error("{ANSWER_TOO_LARGE}")]
    AnswerTooLarge,
    /// A key that is for one request came with another.
    #[error(
        "another request came with this Idempotency-Key within the last 24 hours; give each request a key of its own"
    )]
    KeyTaken,
    /// It takes a permission that whoever asks does not have.
    #[error("requires the permission `{}`", .0.name())]
    Forbidden(Permission),
    /// It is not for those who are limited to some agents.
    #[error("requires access to every agent")]
    ForbiddenToLimited,
}

/// What is told of an answer that would have too much text.
pub const ANSWER_TOO_LARGE: &str = "the answer is larger than allowed (answer-limit); ask for smaller pages, or for long texts fewer times";

/// What is told when all answers together have as much text as they may.
pub const ANSWERS_TOO_LARGE: &str =
    "other answers take the memory that there is for all of them (answer-memory); try again";

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
    #[error("database: {}", .0)]
    Database(#[from] Arc<DbErr>),
    /// A statement took longer than it may.
    #[error("statement timeout: {}", .0)]
    TimedOut(Arc<DbErr>),
    /// The database could not be reached, or had no connection to spare.
    #[error("database unavailable: {}", .0)]
    Unavailable(Arc<DbErr>),
    /// Other answers take the memory that there is for all.
    #[error("{ANSWERS_TOO_LARGE}")]
    NoMemory,
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
            Self::NoMemory => ANSWERS_TOO_LARGE,
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

    /// Whether it is a database that could not be reached, or is another program's: it may be there soon.
    pub fn passes(&self) -> bool {
        let Self::Internal(Internal::Unavailable(error)) = self else {
            return false;
        };
        match &**error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => true,
            DbErr::Query(RuntimeErr::Internal(text)) => text.contains("is locked"),
            _ => false,
        }
    }

    /// The code in `extensions.code` of the answer.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Client(Client::BadUserInput { .. }) => "BAD_USER_INPUT",
            Self::Client(Client::TooManyRows { .. }) => "COST_LIMIT_EXCEEDED",
            Self::Client(Client::AnswerTooLarge) => "ANSWER_TOO_LARGE",
            Self::Client(Client::KeyTaken) => "CONFLICT",
            Self::Client(
                Client::ForbiddenArgument { .. }
                | Client::Forbidden(_)
                | Client::ForbiddenToLimited,
            ) => "FORBIDDEN",
            Self::Internal(Internal::Unavailable(_) | Internal::NoMemory) => "UNAVAILABLE",
            Self::Internal(Internal::TimedOut(_)) => "TIMEOUT",
            Self::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let error = Arc::new(error);
        match &*error {
            DbErr::Custom(text) if text == ANSWER_TOO_LARGE => {
                return Client::AnswerTooLarge.into();
            }
            DbErr::Custom(text) if text == ANSWERS_TOO_LARGE => Internal::NoMemory,
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Internal::Unavailable(error),
            _ => Internal::Database(error),
        }
        .into()
    }
}

/// Whether a code of PostgreSQL says that the server goes, has no room, only reads, cannot reach its files, or holds a lock for others.
fn says_unavailable(code: &str) -> bool {
    let mut classes = ["57P", "53", "08", "58", "25006", "55P03"].iter();
    classes.any(|class| code.starts_with(class))
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
        if let rusqlite::Error::ToSqlConversionFailure(inner) = &error
            && let Some(client) = inner.downcast_ref::<Client>()
        {
            return client.clone().into();
        }
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
            // Another program has it, or the disk does not take or give what is asked of it.
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure,
            ) => Internal::Unavailable(error),
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

/// An error of a connection that could not be made: one that the server refused will be refused again.
pub fn unconnected(error: &tokio_postgres::Error) -> Error {
    let text = RuntimeErr::Internal(said(error));
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    let passes = is_lost(error) || code.is_some_and(says_unavailable);
    let error = if passes {
        DbErr::Conn(text)
    } else {
        DbErr::Query(text)
    };
    Internal::Unavailable(Arc::new(error)).into()
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

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Internal::Io(error.to_string()).into()
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::{Error, quotes_values, says_unavailable};

    #[test]
    fn what_the_database_cannot_take_right_now_is_unavailable() {
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_READONLY_DBMOVED,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_PERM,
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Error::from(error).code(), "UNAVAILABLE", "{code}");
        }
        for code in [
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_CONSTRAINT,
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(Error::from(error).code(), "INTERNAL_SERVER_ERROR", "{code}");
        }
        for code in [
            "53100", "53200", "53300", "57P01", "57P03", "58030", "25006", "08006",
        ] {
            assert!(says_unavailable(code), "{code}");
        }
        assert!(!says_unavailable("42P01"));
    }

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
