//! The Hallmark registry: an append-only log of attestations and of proofs on its own clock, served over HTTP, and a
//! client for it.
//!
//! [`serve`] runs it over a data folder:
//!
//! | file | what it is | if it is lost |
//! |---|---|---|
//! | `registry.sqlite` (and `-wal`, `-shm`) | entries, payloads, tiles, checkpoints, proof sessions | restore a backup *not older* than `checkpoint` |
//! | `checkpoint` | the last published checkpoint, outside the database | put back any reader's newest copy |
//! | `keys/log.pem` | the log's two private keys, mode 0600, made once | the log is frozen: begin a new one under a new origin |
//! | `trusted_root.json` | public keys, for readers | made again from the keys |
//! | `lock` | held by the serving process | made again |
//!
//! # Promises
//!
//! - A success answer means: durable, in a published checkpoint, inclusion proof checked by the registry itself.
//! - An index once given out is never given out again. The registry refuses to start when the database is behind the
//!   outside checkpoint or disagrees with it.
//! - Submitting the same statement by the same key again is safe and returns the same receipt. Two envelopes are the same
//!   when SHA-256 of their pre-authentication encoding and their public key are; signature bytes do not matter.
//! - An error after verification means *perhaps*: submit again, and the answer tells.
//!
//! - A proof's attempt is logged before its nonce exists, and ends with exactly one logged verdict, whatever happens to the
//!   provider or to the registry ([`store::sessions`]). A nonce is given out once.
//!
//! # Trust
//!
//! The registry is trusted for order and for its clock. Everything else about a proof follows from its transcript. Its log is public, so a reader with an old checkpoint notices a
//! rewritten history; `accepted_at` is the registry's word alone. The search index behind lists is not part of the log:
//! it can be rebuilt from payloads, and every list names the tree it covers.

pub mod client;
pub mod config;
mod diary;
mod evidence;
mod folder;
mod fsck;
mod http;
mod keys;
mod log;
mod metrics;
pub mod outside;
mod pages;
mod rate;
mod receipts;
mod server;
mod sessions;
pub mod signature;
pub mod store;
mod submission;

/// The HTTP interface as an OpenAPI 3.1 document, drawn from the route table.
pub fn openapi() -> serde_json::Value {
    http::interface()
}

pub use config::{Config, Limits, Rate, SessionLimits};
pub use folder::FolderError;
pub use fsck::{FsckError, FsckReport, MAX_FINDINGS, fsck, fsck_with};
pub use keys::KeysError;
pub use log::LogError;
pub use server::{Running, ServeError, Storage, serve, start, start_with};
pub use submission::MAX_BODY_BYTES;
