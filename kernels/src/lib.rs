//! Hallmark's workloads, one folder each, and the devices that run them.

pub mod device;
pub mod workload;
