//! Integration tests of the public interface.

mod checkpoints;
mod evidence;
mod hostile;
mod log;
mod must_fail;
mod proof;
mod properties;
mod receipts;
mod sample;
mod vectors;
