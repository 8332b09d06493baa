//! What a Hallmark attestation is: its bytes, its arithmetic, and how it is checked.
//!
//! This crate touches no GPU, no network, no clock and no file system, so the same code runs in the client, the registry
//! and any verifier. It is also the reference for writing another one: each fact stands once, on the page of its module,
//! and this page is the way through them.
//!
//! # From a run to a receipt
//!
//! | step | bytes | page |
//! |---|---|---|
//! | a run is measured | run file: any JSON of the schema, kept by the provider | [`run`], [`stats`] |
//! | its workloads are named | specification: canonical JSON, SHA-256 is the *spec digest* | [`spec`] |
//! | the provider states it | statement: canonical JSON, in-toto Statement v1 | [`statement`], [`jcs`] |
//! | and signs it | envelope: DSSE, ECDSA P-256 | [`dsse`], [`key`] |
//! | private facts stay back | digests in the statement, disclosures beside it | [`disclosure`] |
//! | a log takes it in | leaf, tree, tiles, checkpoint | [`leaf`], [`merkle`], [`tile`], [`checkpoint`], [`note`] |
//! | and answers | receipt: Sigstore bundle v0.3 | [`receipt`] |
//! | anybody verifies it | receipt and trusted root, nothing else | [`trust`], [`verify`] |
//!
//! # Rules that hold on every page
//!
//! * Text is UTF-8. JSON is read as [`json`] says, strictly, whoever wrote it, and in any layout; what is signed or hashed is
//!   written as [`jcs`] says.
//! * A digest is SHA-256, written as 64 lowercase hexadecimal digits, or in base64 where a standard of others asks for it.
//! * Everything measured is an integer whose unit ends its name (`samplesNs`, `memoryBytes`, `relativeRmsPpb`). Counts past
//!   2^53-1 are decimal strings ([`statement::Count`]), so a number has one form.
//! * Times are RFC 3339 in UTC and end in `Z`.
//! * Readers ignore fields they do not know, after checking that they are sound JSON. Adding a field never turns a refusal
//!   into an acceptance.
//! * A signature is checked over the bytes that came, never over bytes written anew.
//!
//! # Identity
//!
//! A signer is its key: SHA-256 of the SubjectPublicKeyInfo ([`key::PublicKey::id`]). An attestation is SHA-256 of its
//! signed bytes ([`statement::VerifiedStatement::digest`]). An entry of a log is that digest *and* the key, so neither a
//! second signature by the same key (ECDSA has many), nor the mirrored s of the first, nor another layout of the envelope
//! makes a second entry. A device is [`statement::identity`] of its vendor and UUID.
//!
//! # What a signature does not show
//!
//! It binds a key to a text. That the figures are true it does not show: a provider can sign anything that adds up. The
//! `evidence` of each record says how far somebody else looked; whatever a provider signs alone is `claimed`, and a
//! statement that says more of itself is refused. [`proof`] is how the registry's clock comes in, and [`evidence`] what its
//! verdicts add to a statement.
//!
//! # Numerics
//!
//! [`exact`] fixes random streams, exact products and the two proofs bit by bit, for CUDA, Vulkan and CPU alike. Vectors
//! made by an independent program are in `attest/testdata/vectors`; documents that must be refused, each with its reason,
//! in `attest/testdata/must-fail`; checkpoints for other readers, good and bad, in `attest/testdata/checkpoints`. In
//! `ci/independent` programs that are not ours read what this crate writes.

pub mod checkpoint;
pub mod digest;
pub mod disclosure;
pub mod dsse;
pub mod evidence;
pub mod exact;
pub mod jcs;
pub mod json;
pub mod key;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod receipt;
pub mod run;
pub mod schema;
pub mod spec;
pub mod statement;
pub mod stats;
pub mod tile;
pub mod trust;
pub mod verify;
