//! What is said of the machine: public facts that anyone may read, and private ones that are only signed as digests.

use std::collections::BTreeMap;

type Facts = BTreeMap<String, String>;

/// Operating system, kernel, processor architecture, memory: nothing that names the machine or its owner.
pub(crate) fn public() -> Facts {
    [
        ("os", os_name()),
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("architecture", Some(std::env::consts::ARCH.to_owned())),
        (
            "logicalCores",
            std::thread::available_parallelism().ok().map(|n| n.to_string()),
        ),
        ("memoryBytes", memory_bytes().map(|n| n.to_string())),
        ("virtualized", virtualized().map(|yes| yes.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// The host's name: signed as a salted digest, shown to whom the provider chooses.
pub(crate) fn private() -> Facts {
    first_line("/proc/sys/kernel/hostname")
        .map(|name| ("hostName".to_owned(), name))
        .into_iter()
        .collect()
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines()
        .next()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
}

fn os_name() -> Option<String> {
    let release = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

fn memory_bytes() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?
        .trim()
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    Some(kib * 1024)
}

/// Whether the processor says it runs under a hypervisor.
fn virtualized() -> Option<bool> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    Some(flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}
