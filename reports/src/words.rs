//! The words of the schema as readers see them; the same words stand in the statement's JSON.

use attest::spec::{Cache, Dims, Size};
use attest::statement::{Caveat, DeviceKind, Evidence, Mode, PathClass, Status, TimerSource};

pub(crate) fn size(size: Size) -> &'static str {
    match size {
        Size::Small => "small",
        Size::Standard => "standard",
        Size::Large => "large",
    }
}

/// A case, and its path where that is not the usual one.
pub(crate) fn on_path(case: &str, path: PathClass) -> String {
    match path {
        PathClass::Portable => case.to_owned(),
        other => format!("{case} {}", other.as_str()),
    }
}

pub(crate) fn cache(cache: Cache) -> &'static str {
    match cache {
        Cache::Cold => "cold",
        Cache::Hot => "hot",
    }
}

pub(crate) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Burst => "burst",
        Mode::Sustained => "sustained",
    }
}

pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::Unsupported => "unsupported",
        Status::Failed => "failed",
    }
}

pub(crate) fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Claimed => "claimed",
        Evidence::Challenged => "challenged",
        Evidence::Timed => "timed",
        Evidence::Rooted => "rooted",
    }
}

pub(crate) fn caveat(caveat: Caveat) -> &'static str {
    match caveat {
        Caveat::Throttled => "throttled",
        Caveat::Shared => "shared",
        Caveat::Noisy => "noisy",
        Caveat::Partial => "partial",
    }
}

pub(crate) fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Gpu => "gpu",
        DeviceKind::Cpu => "cpu",
        DeviceKind::Software => "software",
    }
}

pub(crate) fn timer(source: TimerSource) -> &'static str {
    match source {
        TimerSource::CudaEvent => "CUDA events",
        TimerSource::VulkanTimestamp => "Vulkan timestamps",
        TimerSource::Monotonic => "the host's monotonic clock",
    }
}

/// `k 512, m 512, n 512`
pub(crate) fn dims(dims: &Dims) -> String {
    let sizes: Vec<String> = dims.iter().map(|(name, size)| format!("{name} {size}")).collect();
    sizes.join(", ")
}
