//! `mem.download.v1`: y = x, device to host.

use std::sync::LazyLock;

use attest::spec::Spec;

use crate::transfer;
use crate::workload::{Kind, Workload};

pub(crate) static WORKLOAD: Workload = transfer::workload(&SPEC, Kind::Download);

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    transfer::spec(
        "mem.download",
        "Copy of an array of f32 from the device's memory to the host's, page-locked.",
    )
});
