//! The program from outside: what a user types and what comes back.

mod bad_input;
mod configuration;
mod interrupted;
mod journey;
mod program;
mod prove;
mod storage;
