//! Who somebody is, as far as they can prove it.

mod cause;
pub mod jwt;

pub use cause::Cause;
