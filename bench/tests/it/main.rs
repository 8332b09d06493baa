//! The program from outside: what a user types and what comes back.

mod bad_input;
mod configuration;
mod generate;
mod import;
mod interrupted;
mod journey;
mod paths;
mod program;
mod prove;
mod score;
mod spread;
mod storage;
