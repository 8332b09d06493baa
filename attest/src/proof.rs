//! Proof of work on the registry's clock: what the two sides say to each other, and how anybody recomputes the verdict.
//!
//! | step | who | what | clock |
//! |---|---|---|---|
//! | [`Request`] | provider, signed | every device of the host, the work wanted, a recent checkpoint | |
//! | [`Attempt`] | registry, signed and logged | the request by digest, limits, a commitment to the sampling secret | |
//! | nonce | registry | 256 bits, once | starts when the answer leaves |
//! | commitment | provider | Merkle root over the final states, one for each task | stops when its last byte is read |
//! | secret | registry | the sampling secret, which with the roots gives the [`seeds::samples`] | |
//! | [`Opening`]s | provider | the sampled lanes with their inclusion paths | |
//! | [`Verdict`] | registry, signed and logged | work, elapsed time, the rate that is proven, or why none is | |
//!
//! The attempt stands in the log before the nonce exists, so one that failed or was given up stays visible. Inputs follow
//! from nonce, key and attempt ([`seeds::session`]), so nothing can be computed before the clock starts. Which lanes are opened
//! follows from a secret the registry is bound to since the attempt and from roots the provider is bound to since the
//! commitment, so neither side chooses them. Lanes are recomputed with exact arithmetic: the opened ones are right or the
//! session is lost.
//!
//! All tasks of one attempt run at the same time, each on a device of its own with a seed of its own ([`seeds::task`]), so one
//! device cannot stand for two.
//!
//! # One root for each task
//!
//! Each task takes one root, after the nonce, in time, signed by the provider for this task of this attempt
//! ([`Session::admit`]). A root that comes early, late, twice or wrong ends the attempt ([`Ending`]), and the session keeps
//! it as it came ([`RefusedRoot`]), so whoever has the transcript judges it again. Only the holder of the session's token is
//! listened to. A body that did not come whole, or was refused for its head, is no root: the clock runs on, and decides.
//!
//! # What is proven
//!
//! `rate = work / elapsed` ([`Proven`]), a lower bound: the elapsed time holds the network and the provider's own delays
//! too. If a share f of the lanes were wrong, k opened lanes would miss it with probability (1-f)^k: 66 lanes miss a tenth
//! once in a thousand times ([`missed_ppb`]).
//!
//! # What checking costs
//!
//! Opened lanes cost 66 of m of the work, so the more lanes a device's memory holds, the cheaper its check. For 10 s of a card
//! that does 2 x 10^15 int8 operations/s, with rows of 512 bytes:
//!
//! | lanes | states | steps | openings | check at 60 G operations/s | SHA-256 compressions for the commitment |
//! |---|---|---|---|---|---|
//! | 2^20 | 0.5 GiB | 36,380 | 132 KiB | 21 s | 1.2 x 10^7 |
//! | 2^23 | 4 GiB | 4,547 | 145 KiB | 2.6 s | 9.2 x 10^7 |
//! | 2^26 | 32 GiB | 568 | 158 KiB | 0.33 s | 7.4 x 10^8 |
//!
//! One quiet AVX2 core was measured at 123 G operations/s and 15.9 M compressions/s, one whose other half was busy at 69 G and
//! 10.3 M (`cargo bench -p hallmark-attest --bench checks`): the table stays below both. The commitment takes the
//! compressions of the last column: 0.3 s, 3 % of the run, for a card that does 2.5 x 10^9 a second; it was measured on
//! processors only. [`Work::check`] refuses what would cost more than [`MAX_CHECK_OPERATIONS`].
//!
//! That the work was not sent to another machine in time is not shown by any of this.
//!
//! # Checking a verdict offline
//!
//! A [`Transcript`] holds the whole exchange. [`Transcript::verify`] checks both signatures and log proofs and recomputes the
//! verdict with [`Session::judge`], the function that the registry used, on any machine and with no network.

mod attempt;
mod base64;
mod ending;
mod opening;
pub mod seeds;
mod session;
mod stated;
mod transcript;
mod verdict;
mod work;

pub use attempt::{Attempt, AttemptLimits, Request, Task};
pub use ending::{Ending, RefusedRoot};
pub use opening::{MAX_OPENINGS_BYTES, Opening, OpeningError, OpeningsBody};
pub use session::{Commitment, MAX_COMMITMENT_BYTES, Of, Session, SignedRoot};
pub use stated::{ProtocolError, Stated, Terms, registry_signed};
pub use transcript::{MAX_TRANSCRIPT_BYTES, Transcript, TranscriptError, VerifiedTranscript};
pub use verdict::{Outcome, Proven, TaskVerdict, Verdict, missed_ppb};
pub use work::{
    MAX_CHECK_COMPRESSIONS, MAX_CHECK_OPERATIONS, OPENED_LANES, READS_OF_AN_ENTRY, Work, WorkError,
};
