//! CUDA devices, through the driver library that is found at run time.
//!
//! Kernels are the committed PTX, compiled by the driver when a case is loaded. Launches of a batch go to one stream
//! back to back and are timed by two events; see [`gate`] for how the queue is kept full. A driver that is absent, too
//! old or lacks a function is an [`Absent`], never a crash.

mod buffer;
mod call;
mod card;
mod cublaslt;
mod gate;
mod loaded;
mod peers;
mod probe;
mod vendor;

pub use peers::{Outcome, Peer, peers};
pub(crate) use vendor::multiplies;

use super::{Absent, Device};

/// Every CUDA device of this machine in the driver's order, and what cannot be used, with the reason.
pub(super) fn discover() -> (Vec<Box<dyn Device>>, Vec<Absent>) {
    let (cards, absent) = probe::cards();
    let devices = cards.into_iter().map(|card| Box::new(card) as Box<dyn Device>);
    (devices.collect(), absent)
}
