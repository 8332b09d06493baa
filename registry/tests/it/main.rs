//! A real registry on a free port, and everything that may go wrong around it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod answers;
mod api;
mod attempts;
mod bench;
mod campaign;
mod client;
mod damage;
mod disk;
mod evidence;
mod failures;
mod flaky;
mod hostile;
mod kill;
mod lists;
mod prover;
mod providers;
mod redteam;
mod relay;
mod sample;
mod sessions;
mod startup;
mod wire;
