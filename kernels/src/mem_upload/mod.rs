//! `mem.upload.v1`: y = x, host to device.

use std::sync::LazyLock;

use attest::spec::Spec;

use crate::transfer;
use crate::workload::{Kind, Workload};

pub(crate) static WORKLOAD: Workload = transfer::workload(&SPEC, Kind::Upload);

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    transfer::spec(
        "mem.upload",
        "Copy of an array of f32 from the host's page-locked memory to the device's.",
    )
});
