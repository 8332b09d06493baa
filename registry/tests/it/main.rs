//! A real registry on a free port, and everything that may go wrong around it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod api;
mod bench;
mod sample;
mod wire;
