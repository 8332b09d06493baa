//! A device as the client describes it. All of it is claimed unless evidence says otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// `cpu:0`, `vulkan:0`, `cuda:1`.
    pub id: String,
    pub api: Api,
    pub kind: DeviceKind,
    pub name: String,
    pub vendor: String,
    pub driver: Driver,
    pub memory_bytes: u64,
    /// Multiprocessors, compute units or logical cores, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_units: Option<u32>,
    /// Size of the last-level cache, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<u64>,
    /// Capabilities the workloads ask for, sorted: `avx2`, `shaderFloat16`, `sm_90`.
    pub features: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Api {
    Cpu,
    Vulkan,
    Cuda,
}

impl Api {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeviceKind {
    /// A graphics processor of its own or integrated.
    Gpu,
    Cpu,
    /// A graphics API implemented on the processor. Never listed as a GPU.
    Software,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Driver {
    pub name: String,
    pub version: String,
}

/// What the log shows of a device's identity: a renter who sees the UUID can check it, a reader of the log cannot
/// list UUIDs from it.
pub fn identity(vendor: &str, uuid: &str) -> Sha256 {
    Sha256::of_parts(&[b"hallmark-device-v1\n", vendor.as_bytes(), b"\n", uuid.as_bytes()])
}
