//! Parlour: a GraphQL gateway to the people who talk to chatbots.
pub mod clock;
pub mod db;
pub mod entity;
pub mod error;
pub mod id;
pub mod read;
pub mod graphql;
pub mod write;
