//! NVIDIA's management library: the state of a card that CUDA and Vulkan do not tell.
//!
//! The library comes with the driver and is opened at run time. A function it lacks, or one that the card does not
//! support, leaves its field absent; nothing here fails. A card is named by the UUID that CUDA and Vulkan also report.

#![allow(unsafe_code, reason = "the library is C and is opened at run time")]

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

use attest::statement::{Conditions, Moment};
use libloading::Library;

/// Clocks, power, temperature, throttling and company of the card with this UUID (`8-4-4-4-12` lower-case hexadecimal),
/// or `None` where the library or the card is absent.
pub fn conditions_for(uuid: &str, moment: Moment) -> Option<Conditions> {
    let nvml = loaded()?;
    let card = nvml.card(uuid)?;
    let own = OWN_PIDS.lock().unwrap_or_else(PoisonError::into_inner);
    Some(nvml.conditions(card, moment, &own))
}

/// Whether a fault slows the card now.
pub fn throttled_for(uuid: &str) -> Option<bool> {
    let nvml = loaded()?;
    let reasons = nvml.wide(nvml.reasons?, nvml.card(uuid)?)?;
    Some(!names(reasons, &THROTTLE).is_empty())
}

/// Energy since the driver was loaded, in millijoules; Volta and later count it.
pub fn energy_millijoules_for(uuid: &str) -> Option<u64> {
    let nvml = loaded()?;
    nvml.wide(nvml.energy?, nvml.card(uuid)?)
}

/// The driver's own version, such as `580.65.06`; CUDA tells only which CUDA version it supports.
pub fn driver_version() -> Option<String> {
    loaded()?.driver_version()
}

/// Runs `open`, which makes this process compute on the card, and remembers the process entry that appears.
///
/// Inside a container the library may list this process by a number that is not the one it knows itself by; without
/// this it would count as company.
pub fn opening<T>(uuid: &str, open: impl FnOnce() -> T) -> T {
    let pids = || -> BTreeSet<c_uint> {
        let pids = loaded().and_then(|nvml| nvml.computing(nvml.card(uuid)?));
        pids.unwrap_or_default().into_iter().collect()
    };
    let before = pids();
    let opened = open();
    let appeared: Vec<_> = pids().difference(&before).copied().collect();
    if let [own] = appeared[..] {
        OWN_PIDS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(own);
    }
    opened
}

/// Numbers, beside its own, that the library knows this process by.
static OWN_PIDS: Mutex<BTreeSet<c_uint>> = Mutex::new(BTreeSet::new());

fn loaded() -> Option<&'static Nvml> {
    static NVML: OnceLock<Option<Nvml>> = OnceLock::new();
    NVML.get_or_init(|| Nvml::open("libnvidia-ml.so.1")).as_ref()
}

type Card = *mut c_void;
type Narrow = unsafe extern "C" fn(Card, *mut c_uint) -> c_int;
type Wide = unsafe extern "C" fn(Card, *mut c_ulonglong) -> c_int;
type Chosen = unsafe extern "C" fn(Card, c_int, *mut c_uint) -> c_int;
type Mode = unsafe extern "C" fn(Card, *mut c_uint, *mut c_uint) -> c_int;
type Processes = unsafe extern "C" fn(Card, *mut c_uint, *mut Process) -> c_int;

/// `nvmlProcessInfo_v2_t`, which `nvmlDeviceGetComputeRunningProcesses_v3` fills.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Process {
    pid: c_uint,
    used_memory: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

const SUCCESS: c_int = 0;
/// `nvmlClockType_t`
const CLOCK_SM: c_int = 1;
const CLOCK_MEMORY: c_int = 2;
/// `nvmlTemperatureSensors_t`: the die.
const SENSOR_DIE: c_int = 0;
/// More processes than anybody runs on one card; a longer list is reported as absent.
const MAX_PROCESSES: usize = 256;

/// Bits of `nvmlClocksEventReasons` that are faults: heat, a failing supply, the clock of another card. An idle card
/// (bit 0) is held by nothing.
const THROTTLE: [(c_ulonglong, &str); 5] = [
    (0x008, "hwSlowdown"),
    (0x010, "syncBoost"),
    (0x020, "swThermalSlowdown"),
    (0x040, "hwThermalSlowdown"),
    (0x080, "hwPowerBrakeSlowdown"),
];

/// Those that are no fault: a card under full load runs at its power limit, and clocks are set on purpose.
const LIMITS: [(c_ulonglong, &str); 3] = [
    (0x002, "applicationsClocksSetting"),
    (0x004, "swPowerCap"),
    (0x100, "displayClockSetting"),
];

/// The functions in use, each absent where the library lacks it.
struct Nvml {
    by_uuid: unsafe extern "C" fn(*const c_char, *mut Card) -> c_int,
    version: Option<unsafe extern "C" fn(*mut c_char, c_uint) -> c_int>,
    clock: Option<Chosen>,
    power: Option<Narrow>,
    temperature: Option<Chosen>,
    reasons: Option<Wide>,
    ecc: Option<Mode>,
    mig: Option<Mode>,
    processes: Option<Processes>,
    energy: Option<Wide>,
    _library: Library,
}

impl Nvml {
    fn open(library: impl AsRef<OsStr>) -> Option<Self> {
        // SAFETY: the driver's library runs no code on loading that this process depends on.
        let library = unsafe { Library::new(library.as_ref()) }.ok()?;
        // SAFETY: `nvmlInit_v2` takes nothing and returns an `nvmlReturn_t`.
        let ready = unsafe {
            let init: unsafe extern "C" fn() -> c_int = symbol(&library, "nvmlInit_v2")?;
            init()
        };
        (ready == SUCCESS).then_some(())?;
        // SAFETY: every type below is the function's in nvml.h of CUDA 11.4 to 13.
        let nvml = unsafe {
            Self {
                by_uuid: symbol(&library, "nvmlDeviceGetHandleByUUID")?,
                version: symbol(&library, "nvmlSystemGetDriverVersion"),
                clock: symbol(&library, "nvmlDeviceGetClockInfo"),
                power: symbol(&library, "nvmlDeviceGetPowerUsage"),
                temperature: symbol(&library, "nvmlDeviceGetTemperature"),
                reasons: symbol(&library, "nvmlDeviceGetCurrentClocksEventReasons")
                    .or_else(|| symbol(&library, "nvmlDeviceGetCurrentClocksThrottleReasons")),
                ecc: symbol(&library, "nvmlDeviceGetEccMode"),
                mig: symbol(&library, "nvmlDeviceGetMigMode"),
                processes: symbol(&library, "nvmlDeviceGetComputeRunningProcesses_v3"),
                energy: symbol(&library, "nvmlDeviceGetTotalEnergyConsumption"),
                _library: library,
            }
        };
        Some(nvml)
    }

    /// The whole card, or a slice of one under MIG.
    fn card(&self, uuid: &str) -> Option<Card> {
        ["GPU-", "MIG-"].iter().find_map(|prefix| {
            let name = CString::new(format!("{prefix}{uuid}")).ok()?;
            let mut card = std::ptr::null_mut();
            // SAFETY: `name` is a C string that outlives the call, which writes one handle.
            let status = unsafe { (self.by_uuid)(name.as_ptr(), &raw mut card) };
            (status == SUCCESS).then_some(card)
        })
    }

    fn conditions(&self, card: Card, moment: Moment, own: &BTreeSet<c_uint>) -> Conditions {
        let clock = |kind| self.chosen(self.clock?, card, kind).map(u64::from);
        let others = |pids: Vec<c_uint>| {
            let foreign = |pid: &&c_uint| **pid != std::process::id() && !own.contains(*pid);
            pids.iter().filter(foreign).count() as u64
        };
        let reasons = self.reasons.and_then(|reasons| self.wide(reasons, card));
        Conditions {
            moment,
            clock_mhz: clock(CLOCK_SM),
            memory_clock_mhz: clock(CLOCK_MEMORY),
            power_milliwatts: self
                .power
                .and_then(|power| self.narrow(power, card))
                .map(u64::from),
            temperature_celsius: self
                .temperature
                .and_then(|temperature| self.chosen(temperature, card, SENSOR_DIE))
                .map(i64::from),
            throttle: reasons.map(|bits| names(bits, &THROTTLE)),
            limits: reasons.map(|bits| names(bits, &LIMITS)),
            ecc: self.ecc.and_then(|ecc| self.mode(ecc, card)),
            mig: self.mig.and_then(|mig| self.mode(mig, card)),
            other_processes: self.computing(card).map(others),
            steal_ppm: None,
        }
    }

    fn driver_version(&self) -> Option<String> {
        let mut text = [0u8; 96];
        // SAFETY: the call writes at most the length it is given, ending with a zero byte.
        let status = unsafe { (self.version?)(text.as_mut_ptr().cast(), text.len() as c_uint) };
        let end = text.iter().position(|byte| *byte == 0)?;
        (status == SUCCESS && end > 0).then(|| String::from_utf8_lossy(&text[..end]).into_owned())
    }

    /// Process numbers computing on the card.
    fn computing(&self, card: Card) -> Option<Vec<c_uint>> {
        // Twice the room: some 535 drivers wrote 32-byte entries through this function.
        let mut entries = vec![Process::default(); 2 * MAX_PROCESSES];
        let mut count = MAX_PROCESSES as c_uint;
        // SAFETY: `entries` has room for more than `count` entries.
        let status = unsafe { (self.processes?)(card, &raw mut count, entries.as_mut_ptr()) };
        (status == SUCCESS).then(|| {
            entries
                .iter()
                .take(count as usize)
                .map(|entry| entry.pid)
                .collect()
        })
    }

    fn narrow(&self, read: Narrow, card: Card) -> Option<u32> {
        let mut value = 0;
        // SAFETY: `card` came from this library, the call writes one number.
        (unsafe { read(card, &raw mut value) } == SUCCESS).then_some(value)
    }

    fn wide(&self, read: Wide, card: Card) -> Option<u64> {
        let mut value = 0;
        // SAFETY: as in `narrow`.
        (unsafe { read(card, &raw mut value) } == SUCCESS).then_some(value)
    }

    fn chosen(&self, read: Chosen, card: Card, kind: c_int) -> Option<u32> {
        let mut value = 0;
        // SAFETY: as in `narrow`; `kind` is a value of the function's enumeration.
        (unsafe { read(card, kind, &raw mut value) } == SUCCESS).then_some(value)
    }

    fn mode(&self, read: Mode, card: Card) -> Option<bool> {
        let (mut current, mut pending) = (0, 0);
        // SAFETY: as in `narrow`, two numbers.
        (unsafe { read(card, &raw mut current, &raw mut pending) } == SUCCESS).then_some(current != 0)
    }
}

fn names(bits: u64, known: &[(c_ulonglong, &str)]) -> Vec<String> {
    let active = known.iter().filter(|(bit, _)| bits & bit != 0);
    active.map(|(_, name)| (*name).to_owned()).collect()
}

/// # Safety
/// `F` is the type of the function called `name`.
unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Option<F> {
    // SAFETY: the caller vouches for the type; the library lives as long as the functions taken from it.
    unsafe { library.get::<F>(name) }.ok().map(|symbol| *symbol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    const CARD: &str = "01234567-89ab-cdef-0123-456789abcdef";

    /// A library of two processes on one card; `lacks` removes functions.
    fn fake(folder: &Path, lacks: &str) -> PathBuf {
        let source = folder.join("nvml.cpp");
        let library = folder.join(format!("libfake{}.so", lacks.len()));
        std::fs::write(&source, include_str!("nvml/fake.cpp")).expect("a writable folder");
        let status = Command::new("g++")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .args(lacks.split_whitespace().map(|name| format!("-DLACKS_{name}")))
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "g++ builds the fake library; hint: apt-get install g++"
        );
        library
    }

    #[test]
    fn every_field_is_read_and_own_processes_are_no_company() {
        let folder = tempfile::tempdir().expect("a folder");
        let nvml = Nvml::open(fake(folder.path(), "")).expect("the fake library");
        assert_eq!(nvml.driver_version().as_deref(), Some("580.65.06"));
        assert!(nvml.card("ffffffff-89ab-cdef-0123-456789abcdef").is_none());
        let card = nvml.card(CARD).expect("the fake card");
        let read = nvml.conditions(card, Moment::During, &BTreeSet::from([77]));
        assert_eq!(
            read,
            Conditions {
                moment: Moment::During,
                clock_mhz: Some(1980),
                memory_clock_mhz: Some(2619),
                power_milliwatts: Some(345_678),
                temperature_celsius: Some(41),
                throttle: Some(vec!["hwThermalSlowdown".into()]),
                limits: Some(vec!["swPowerCap".into()]),
                ecc: Some(true),
                mig: Some(false),
                other_processes: Some(1),
                steal_ppm: None,
            }
        );
        assert_eq!(nvml.wide(nvml.energy.expect("a counter"), card), Some(1 << 40));
    }

    #[test]
    fn what_the_library_lacks_or_the_card_does_not_support_is_absent() {
        let folder = tempfile::tempdir().expect("a folder");
        let nvml = Nvml::open(fake(folder.path(), "POWER EVENTS PROCESSES")).expect("the fake library");
        let card = nvml.card(CARD).expect("the fake card");
        let read = nvml.conditions(card, Moment::Before, &BTreeSet::new());
        assert_eq!(read.power_milliwatts, None);
        assert_eq!(read.other_processes, None);
        assert_eq!(
            (read.throttle, read.limits),
            (Some(vec![]), Some(vec![])),
            "the older name is tried, and idle is no throttling"
        );
        assert_eq!(read.clock_mhz, Some(1980));
        assert!(Nvml::open(fake(folder.path(), "UUID")).is_none());
        assert!(Nvml::open("libhallmark-has-no-such-library.so").is_none());
    }
}
