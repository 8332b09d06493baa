//! Runs one case on one device and checks every element.

use std::hash::{BuildHasher as _, RandomState};

use attest::digest::Sha256;
use attest::spec::Dims;
use attest::statement::{Api, PathClass, Quality};
use kernels::catalogue::WORKLOADS;
use kernels::device::{self, Device};
use kernels::workload::{Kind, Workload};
use kernels::{check, inputs};

use crate::shim::Shim;

/// A seed that no run has had before, or the one `HALLMARK_SEED` names (64 hexadecimal digits) to repeat a failure.
pub(crate) fn fresh_seed() -> Sha256 {
    match std::env::var("HALLMARK_SEED") {
        Ok(text) => Sha256::from_hex(&text).expect("HALLMARK_SEED is 64 hexadecimal digits"),
        Err(_) => Sha256::of(&RandomState::new().hash_one(()).to_le_bytes()),
    }
}

pub(crate) fn dims(sizes: &[(&str, u64)]) -> Dims {
    sizes
        .iter()
        .map(|&(name, size)| (name.to_owned(), size))
        .collect()
}

/// Every device of this machine, the CPU first, and the shim that runs the CUDA sources on it.
pub(crate) fn devices() -> Vec<Box<dyn Device>> {
    let mut found = device::discover();
    for absent in &found.absent {
        eprintln!("{}: {} ({})", absent.api.as_str(), absent.reason, absent.hint);
    }
    assert_eq!(found.devices[0].facts().id, "cpu:0");
    found.devices.push(Box::new(Shim::new(70)));
    found.devices
}

/// Whether a device must run a workload: only one with memory of its own makes transfers, and the shim runs sources.
pub(crate) fn runs(device: &dyn Device, workload: &Workload) -> bool {
    let memory_of_its_own = device.facts().api == Api::Vulkan;
    memory_of_its_own || matches!(workload.kind, Kind::Kernels | Kind::RoundTrip)
}

/// What a device must run: of all workloads, or of those alone whose ids begin with `HALLMARK_WORKLOAD`, to try a new one.
pub(crate) fn runs_on(device: &dyn Device) -> impl Iterator<Item = &'static Workload> {
    let wanted = std::env::var("HALLMARK_WORKLOAD").unwrap_or_default();
    let workloads = WORKLOADS.iter().copied();
    assert!(
        WORKLOADS
            .iter()
            .any(|workload| workload.spec.id.starts_with(&wanted)),
        "HALLMARK_WORKLOAD={wanted}: no workload's id begins so"
    );
    workloads.filter(move |workload| workload.spec.id.starts_with(&wanted) && runs(device, workload))
}

/// Poisons, runs three launches over two sets, which must give the same bytes, and checks them. A refusal of the case is an error.
pub(crate) fn run_and_check(
    device: &dyn Device,
    workload: &Workload,
    path: PathClass,
    dims: &Dims,
    seed: Sha256,
) -> Result<Quality, String> {
    const SETS: u32 = 2;
    if let Some(reason) = device.refusal(workload, path, dims, SETS) {
        return Err(format!("refused: {reason}"));
    }
    let inputs = inputs::generate(workload, dims, &seed.0);
    let mut loaded = device
        .load(workload, path, dims, &inputs, SETS)
        .map_err(|error| error.to_string())?;
    loaded.poison().map_err(|error| error.to_string())?;
    let elapsed = loaded.run(3).map_err(|error| error.to_string())?;
    if elapsed.host_ns == 0 || elapsed.device_ns > 2 * elapsed.host_ns {
        return Err(format!("clocks disagree: {elapsed:?}"));
    }
    let outputs = loaded.read(0).map_err(|error| error.to_string())?;
    for set in 1..SETS {
        if loaded.read(set).map_err(|error| error.to_string())? != outputs {
            return Err(format!("set {set} holds other outputs than set 0"));
        }
    }
    check::check(workload, dims, &inputs, &outputs, &seed.0).map_err(|error| error.to_string())
}

/// [`run_and_check`] of the portable path, panicking with all that is needed to repeat the failure.
pub(crate) fn expect_right(device: &dyn Device, workload: &Workload, dims: &Dims, seed: Sha256) -> Quality {
    expect_right_on(device, workload, PathClass::Portable, dims, seed)
}

pub(crate) fn expect_right_on(
    device: &dyn Device,
    workload: &Workload,
    path: PathClass,
    dims: &Dims,
    seed: Sha256,
) -> Quality {
    run_and_check(device, workload, path, dims, seed).unwrap_or_else(|error| {
        panic!(
            "{} {} on {}: {dims:?}: {error}; repeat with HALLMARK_SEED={seed}",
            workload.spec.id,
            path.as_str(),
            device.facts().id
        )
    })
}
