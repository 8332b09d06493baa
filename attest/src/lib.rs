//! What a Hallmark attestation is.
//!
//! This crate holds the schema, the signature, the mathematics of the log and the exact arithmetic behind the proofs.
//! It touches no GPU, no network, no clock and no file system, so the same code runs in the client, the registry and
//! any verifier.

pub mod checkpoint;
pub mod digest;
pub mod disclosure;
pub mod dsse;
pub mod exact;
pub mod jcs;
pub mod json;
pub mod key;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod receipt;
pub mod run;
pub mod schema;
pub mod spec;
pub mod statement;
pub mod stats;
pub mod tile;
pub mod trust;
pub mod verify;
