//! Why a transaction was rolled back, as far as it decides whether it is tried again.

use sea_orm::{DbErr, RuntimeErr};

use super::postgres::Failure;
use crate::error::{Error, Internal};

/// Why a transaction was undone, as far as it matters for whether it is run again.
#[derive(Debug)]
pub enum TransactionError {
    /// Rows that were to be new were there: another writer's, to be found now, or rows that have taken the ids.
    UniqueViolation,
    /// Another writer was in the way.
    Conflict(Error),
    /// Another program has the database to itself, and nothing was done yet.
    Locked(Error),
    /// The connection broke.
    ConnectionLost(Error),
    /// It failed, and would again.
    Failed(Error),
}

impl From<Error> for TransactionError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<DbErr> for TransactionError {
    fn from(error: DbErr) -> Self {
        Self::Failed(error.into())
    }
}

impl From<rusqlite::Error> for TransactionError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi;
        let code = error.sqlite_error().map(|failure| failure.extended_code);
        match code {
            Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE) => {
                Self::UniqueViolation
            }
            // With its extended codes.
            Some(code) if code & 0xff == ffi::SQLITE_BUSY => Self::Conflict(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl TransactionError {
    /// Why a transaction could not begin.
    pub(super) fn before(error: rusqlite::Error) -> Self {
        match Self::from(error) {
            Self::Conflict(error) => Self::Locked(error),
            undone => undone,
        }
    }
}

impl From<Failure> for TransactionError {
    fn from(failure: Failure) -> Self {
        use tokio_postgres::error::SqlState;
        let is_lost = failure.is_lost();
        match failure.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Self::UniqueViolation,
            Some(
                &SqlState::T_R_SERIALIZATION_FAILURE
                | &SqlState::T_R_DEADLOCK_DETECTED
                | &SqlState::LOCK_NOT_AVAILABLE,
            ) => Self::Conflict(failure.into()),
            _ if failure.is_outdated() => Self::Conflict(failure.into()),
            _ if is_lost => Self::ConnectionLost(failure.into()),
            _ => Self::Failed(failure.into()),
        }
    }
}

impl From<TransactionError> for Error {
    fn from(undone: TransactionError) -> Self {
        match undone {
            TransactionError::UniqueViolation => {
                let text = "rows that are to be new are there".to_owned();
                let error = DbErr::Query(RuntimeErr::Internal(text));
                Internal::Database(error.into()).into()
            }
            TransactionError::Conflict(error)
            | TransactionError::Locked(error)
            | TransactionError::ConnectionLost(error)
            | TransactionError::Failed(error) => error,
        }
    }
}
