//! Workloads on devices, and the rules their folders keep.

mod autograd;
mod cuda_driver;
mod device_code;
mod device_time;
mod folders;
mod generate;
mod harness;
mod lengths;
mod memory;
mod packed_dot;
mod parts;
mod shim;
mod sizes;
mod specs;
mod spirv;
mod ties;
mod tree;
mod vectors;
mod vulkan;
