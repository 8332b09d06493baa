//! Proving work to a registry: what a device is asked, doing it on the registry's clock, opening what was committed to.
//!
//! | module | is |
//! |---|---|
//! | [`size`] | how large a proof is made, from what the device holds and does |
//! | [`prover`] | one proof on one device: commit, then open |
//! | [`prepare`] | everything before the clock runs |
//! | [`host`] | all devices of this machine, and which of them are proven together |
//! | [`attempt`] | one attempt: its devices at the same time, each on a thread of its own |
//! | [`campaign`] | one attempt after the other, and their papers |
//! | [`worker`] | a device's side of an attempt |
//! | [`watch`] | what is said meanwhile |
//! | [`shown`] | the answer |

mod attempt;
pub(crate) mod campaign;
mod host;
mod prepare;
mod prover;
pub(crate) mod shown;
mod size;
mod watch;
mod worker;

pub(crate) use attempt::{Proved, Registrar};
pub(crate) use host::{Devices, Host};
pub(crate) use prepare::Wanted;
pub(crate) use size::Proof;
