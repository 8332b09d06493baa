//! Finds out whether there is a CUDA driver and what it drives, without ever crashing on a broken one.

#![allow(unsafe_code, reason = "the driver is a C library opened at run time")]

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use attest::statement::{Api, Device as Facts, DeviceKind, Driver};
use cudarc::driver::sys::{self, CUdevice, CUdevice_attribute as Attribute};
use cudarc::driver::{DriverError, result};
use libloading::Library;

use super::super::{Absent, nvml};
use super::card::Card;

/// What the committed PTX (ISA 8.0) and the bindings ask for; CUDA 12.0 came with driver 525, of December 2022.
const OLDEST_CUDA: i32 = 12_000;

/// The committed PTX is for `compute_70`: Volta and later.
const OLDEST_ARCHITECTURE: (i32, i32) = (7, 0);

/// Every driver function in use. The bindings panic at the first use of one that is missing, so all are looked up
/// before any is called.
const FUNCTIONS: [&str; 40] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetUuid_v2",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuModuleUnload",
    "cuFuncSetAttribute",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventElapsedTime",
    "cuEventDestroy_v2",
    "cuMemAlloc_v2",
    "cuMemAllocAsync",
    "cuMemFree_v2",
    "cuMemFreeAsync",
    "cuMemGetInfo_v2",
    "cuMemHostAlloc",
    "cuMemHostGetDevicePointer_v2",
    "cuMemFreeHost",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemsetD8Async",
    "cuMemsetD32Async",
    "cuLaunchKernel",
];

/// The devices that can be used, and what cannot.
pub(super) fn cards() -> (Vec<Card>, Vec<Absent>) {
    let found = guarded(|| -> Result<_, Absent> {
        driver_is_whole()?;
        start_driver()
    });
    let count = match found.unwrap_or_else(|crash| Err(broken(&crash))) {
        Ok(count) => count,
        Err(absent) => return (vec![], vec![absent]),
    };
    let (mut cards, mut missing) = (vec![], vec![]);
    for ordinal in 0..count {
        match guarded(|| card(ordinal)).unwrap_or_else(|crash| Err(broken(&crash))) {
            Ok(card) => cards.push(card),
            Err(absent) => missing.push(absent),
        }
    }
    (cards, missing)
}

/// Runs driver calls; a panic of the bindings becomes its message and is not printed.
pub(super) fn guarded<T>(calls: impl FnOnce() -> T) -> Result<T, String> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            if !QUIET.get() {
                before(panicked);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(calls));
    QUIET.set(outer);
    outcome.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("the driver's bindings panicked").to_owned()
    })
}

/// Opens the library by the names the bindings try, in their order, and looks every function up.
fn driver_is_whole() -> Result<(), Absent> {
    let names = ["cuda", "nvcuda"].map(cudarc::get_lib_name_candidates).concat();
    // SAFETY: opening the driver's library runs only its own initialization.
    let library = names.iter().find_map(|name| unsafe { Library::new(name) }.ok());
    let Some(library) = library else {
        return Err(absent(
            "the NVIDIA driver library libcuda.so.1 is not installed",
            "CUDA needs an NVIDIA GPU and its driver; in a container start it with `--gpus all`",
        ));
    };
    // SAFETY: the symbols are only looked up, never called through this type.
    let lacks = FUNCTIONS
        .iter()
        .find(|name| unsafe { library.get::<unsafe extern "C" fn()>(**name) }.is_err());
    match lacks {
        None => Ok(()),
        Some(name) => Err(absent(
            &format!("the NVIDIA driver library has no function {name}"),
            "update the NVIDIA driver to 525 or later",
        )),
    }
}

/// Number of devices of a driver that is new enough.
fn start_driver() -> Result<i32, Absent> {
    let refused = |error: DriverError| {
        let hint = match error.0 {
            sys::CUresult::CUDA_ERROR_NO_DEVICE => {
                "the driver sees no GPU: check `nvidia-smi` and CUDA_VISIBLE_DEVICES"
            }
            sys::CUresult::CUDA_ERROR_STUB_LIBRARY => "take the CUDA stubs folder out of LD_LIBRARY_PATH",
            sys::CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
                "the driver was updated without reloading its kernel module: reboot"
            }
            _ => "check that `nvidia-smi` works",
        };
        absent(&format!("the CUDA driver does not start: {error}"), hint)
    };
    result::init().map_err(refused)?;
    let version = driver_cuda_version().map_err(refused)?;
    if version < OLDEST_CUDA {
        return Err(absent(
            &format!("the driver supports CUDA {}, 12.0 is needed", dotted(version)),
            "update the NVIDIA driver to 525 or later",
        ));
    }
    match result::device::get_count().map_err(refused)? {
        0 => Err(absent(
            "the CUDA driver lists no device",
            "check `nvidia-smi` and CUDA_VISIBLE_DEVICES",
        )),
        count => Ok(count),
    }
}

fn card(ordinal: i32) -> Result<Card, Absent> {
    let unreadable = |error: DriverError| {
        absent(
            &format!("cuda:{ordinal} does not describe itself: {error}"),
            "check that `nvidia-smi` works",
        )
    };
    let device = result::device::get(ordinal).map_err(unreadable)?;
    let (architecture, facts) = facts(ordinal, device).map_err(unreadable)?;
    if architecture < OLDEST_ARCHITECTURE {
        let (major, minor) = architecture;
        return Err(absent(
            &format!(
                "cuda:{ordinal} ({}) has compute capability {major}.{minor}, 7.0 is needed",
                facts.name
            ),
            "use a GPU of the Volta generation (2017) or later, or its Vulkan driver",
        ));
    }
    let uuid = uuid(device).map_err(unreadable)?;
    Ok(Card::new(facts, uuid, ordinal as usize))
}

fn facts(ordinal: i32, device: CUdevice) -> Result<((i32, i32), Facts), DriverError> {
    // SAFETY: `device` came from the driver.
    let attribute = |which| unsafe { result::device::get_attribute(device, which) };
    let positive = |which| {
        attribute(which)
            .ok()
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
    };
    let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    let cuda = format!("CUDA {}", dotted(driver_cuda_version()?));
    let facts = Facts {
        id: format!("cuda:{ordinal}"),
        api: Api::Cuda,
        kind: DeviceKind::Gpu,
        name: result::device::get_name(device)?,
        vendor: "NVIDIA".into(),
        driver: Driver {
            name: "NVIDIA CUDA".into(),
            version: nvml::driver_version().map_or(cuda.clone(), |driver| format!("{driver} ({cuda})")),
        },
        // SAFETY: `device` came from the driver.
        memory_bytes: unsafe { result::device::total_mem(device) }? as u64,
        compute_units: positive(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        cache_bytes: positive(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE).map(u64::from),
        features: vec![format!("sm_{major}{minor}")],
    };
    Ok(((major, minor), facts))
}

/// `8-4-4-4-12` lower-case hexadecimal, as Vulkan's `deviceUUID` of the same card; of a MIG slice its own.
fn uuid(device: CUdevice) -> Result<String, DriverError> {
    let mut uuid = sys::CUuuid { bytes: [0; 16] };
    // SAFETY: `device` came from the driver, the call writes 16 bytes.
    unsafe { sys::cuDeviceGetUuid_v2(&raw mut uuid, device) }.result()?;
    let text = hex::encode(uuid.bytes.map(|byte| byte as u8));
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    Ok(parts.join("-"))
}

/// 1000 times the major version plus 10 times the minor.
fn driver_cuda_version() -> Result<i32, DriverError> {
    let mut version = 0;
    // SAFETY: the call writes one number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(version)
}

fn dotted(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

fn absent(reason: &str, hint: &str) -> Absent {
    Absent {
        api: Api::Cuda,
        reason: reason.to_owned(),
        hint: hint.to_owned(),
    }
}

fn broken(crash: &str) -> Absent {
    absent(
        &format!("the NVIDIA driver library is broken: {crash}"),
        "reinstall the NVIDIA driver, 525 or later",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_bindings_becomes_its_message() {
        let name = "cuNothing";
        let crash = guarded(|| -> () { panic!("Missing symbol {name}") });
        assert_eq!(crash, Err("Missing symbol cuNothing".to_owned()));
        let nested = guarded(|| guarded(|| -> () { panic!("inner") }).is_err());
        assert_eq!(nested, Ok(true));
    }

    #[test]
    fn versions_read_as_people_write_them() {
        assert_eq!(
            [dotted(12_000), dotted(11_080), dotted(13_010)],
            ["12.0", "11.8", "13.1"]
        );
    }
}
