//! Workloads on devices, and the rules their folders keep.

mod folders;
mod harness;
mod sizes;
mod specs;
mod vectors;
