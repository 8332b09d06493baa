//! Vulkan devices: their clocks, their limits, and both kinds of kernel on whatever drivers there are.
//!
//! No Vulkan device at all is a failure, because nothing would be tested; `HALLMARK_NO_VULKAN=1` says it is meant.

use std::cell::Cell;

use attest::digest::Sha256;
use attest::spec::Dims;
use attest::statement::{Api, DeviceKind, PathClass, TimerSource};
use kernels::catalogue::{WORKLOADS, find};
use kernels::device::{self, Device, Elapsed};
use kernels::workload::{POISON, Plan, Target, Workload};
use kernels::{check, inputs};

use crate::harness::{dims, expect_right, fresh_seed};

pub(crate) fn devices() -> Vec<Box<dyn Device>> {
    let mut found = device::discover();
    found.devices.retain(|device| device.facts().api == Api::Vulkan);
    if found.devices.is_empty() {
        let allowed = std::env::var("HALLMARK_NO_VULKAN").is_ok_and(|value| value == "1");
        let absent = found.absent;
        assert!(
            allowed,
            "no Vulkan device ({absent:?}): install one, or set HALLMARK_NO_VULKAN=1"
        );
        eprintln!("WARNING: HALLMARK_NO_VULKAN=1: NOTHING OF VULKAN IS TESTED");
    }
    found.devices
}

fn workload(id: &str) -> &'static Workload {
    find(id).expect("in the catalogue")
}

thread_local! {
    /// What [`wide_plan`] plans for.
    static PLANNED: Cell<Option<&'static Workload>> = const { Cell::new(None) };
}

/// The plan for a GPU without a packed dot product, whatever the device is.
fn wide_plan(dims: &Dims, target: Target) -> Plan {
    let gpu = Target {
        software: false,
        packed_dot: false,
        ..target
    };
    let planned = PLANNED.get().expect("set before a device plans on this thread");
    (planned.plan)(dims, gpu)
}

/// Whether Vulkan devices that are processors have kernels of their own.
fn has_own_kernels(workload: &Workload) -> bool {
    let kernels = |software| {
        let target = Target {
            api: Api::Vulkan,
            software,
            packed_dot: false,
            capability: 0,
        };
        let launches = (workload.plan)(&workload.spec.cases[0].dims, target).launches;
        let names = launches.iter().map(|launch| launch.kernel.name);
        names.collect::<Vec<_>>()
    };
    kernels(true) != kernels(false)
}

/// A processor runs kernels of its own; those for GPUs must be right there too.
#[test]
fn kernels_for_gpus_agree_with_the_reference_on_every_vulkan_device() {
    let workloads: Vec<_> = WORKLOADS
        .iter()
        .filter(|workload| has_own_kernels(workload))
        .collect();
    assert!(!workloads.is_empty());
    for device in devices() {
        for workload in &workloads {
            PLANNED.set(Some(workload));
            let wide = Workload {
                plan: wide_plan,
                ..***workload
            };
            for dims in (wide.odd_sizes)() {
                expect_right(device.as_ref(), &wide, &dims, fresh_seed());
            }
        }
    }
}

#[test]
fn a_device_on_the_processor_is_called_software_and_no_gpu() {
    for device in devices() {
        let facts = device.facts();
        let named = facts.name.ends_with("(software)");
        assert_eq!(named, facts.kind == DeviceKind::Software, "{facts:?}");
        if facts.name.contains("llvmpipe") {
            assert_eq!(facts.kind, DeviceKind::Software);
        }
        assert!(facts.features.is_sorted() && facts.memory_bytes > 0, "{facts:?}");
        let groups: Vec<usize> = device.uuid().split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{}", device.uuid());
    }
}

/// Runs of half a second: launches are added until a batch takes that long.
fn long_batch(device: &dyn Device) -> Vec<Elapsed> {
    let case = dims(&[("rows", 64), ("cols", 512)]);
    let softmax = workload("softmax.f32.v1");
    let inputs = inputs::generate(softmax, &case, &fresh_seed().0);
    let mut loaded = device
        .load(softmax, PathClass::Portable, &case, &inputs, 1)
        .expect("a small case");
    assert_eq!(loaded.timer().source, TimerSource::VulkanTimestamp);
    loaded.run(1).expect("the launch that compiles");
    let mut launches = 1;
    while loaded.run(launches).expect("launches").host_ns < 500_000_000 {
        launches *= 2;
    }
    (0..5).map(|_| loaded.run(launches).expect("launches")).collect()
}

#[test]
fn the_devices_clock_agrees_with_the_hosts_within_two_percent() {
    for device in devices() {
        let batches = long_batch(device.as_ref());
        // Of five, so that a host that was kept from its processor for a moment fails nothing.
        let agreeing = batches
            .iter()
            .filter(|batch| batch.host_ns.abs_diff(batch.device_ns) * 50 <= batch.host_ns);
        assert!(agreeing.count() >= 3, "{}: {batches:?}", device.facts().id);
        for batch in &batches {
            assert!(batch.device_ns <= batch.host_ns + batch.host_ns / 50, "{batch:?}");
        }
    }
}

#[test]
fn more_launches_take_longer_by_the_devices_clock() {
    let case = dims(&[("n", 1 << 20)]);
    let copy = workload("mem.copy.v1");
    for device in devices() {
        let inputs = inputs::generate(copy, &case, &fresh_seed().0);
        let mut loaded = device
            .load(copy, PathClass::Portable, &case, &inputs, 1)
            .expect("a small case");
        loaded.run(1).expect("the launch that compiles");
        let fastest = |launches| {
            let runs = (0..5).map(|_| loaded.run(launches).expect("launches").device_ns);
            runs.min().expect("five runs")
        };
        let times: Vec<u64> = [1, 8, 64].map(fastest).into();
        assert!(
            0 < times[0] && times[0] < times[1] && times[1] < times[2],
            "{times:?}"
        );
    }
}

#[test]
fn an_output_set_whose_launch_was_left_out_still_holds_poison() {
    let seed = fresh_seed();
    for device in devices() {
        for workload in WORKLOADS {
            let case = &workload.spec.cases[0].dims;
            let inputs = inputs::generate(workload, case, &seed.0);
            let mut loaded = device
                .load(workload, PathClass::Portable, case, &inputs, 3)
                .expect("a small case");
            loaded.poison().expect("poisoned");
            loaded.run(1).expect("a launch");
            loaded.run(1).expect("a launch");
            let judged: Vec<_> = (0..3)
                .map(|set| {
                    check::check(
                        workload,
                        case,
                        &inputs,
                        &loaded.read(set).expect("outputs"),
                        &seed.0,
                    )
                })
                .collect();
            assert!(
                judged[0].is_ok() && judged[1].is_ok(),
                "{}: {judged:?}",
                workload.spec.id
            );
            assert!(
                matches!(judged[2], Err(check::Mismatch::Unwritten { .. })),
                "{}: {judged:?}",
                workload.spec.id
            );
        }
    }
}

#[test]
fn poison_reaches_every_byte_of_an_odd_output() {
    let rmsnorm = workload("rmsnorm.f16.v1");
    let case = dims(&[("rows", 3), ("cols", 7)]);
    for device in devices() {
        let inputs = inputs::generate(rmsnorm, &case, &fresh_seed().0);
        let mut loaded = device
            .load(rmsnorm, PathClass::Portable, &case, &inputs, 2)
            .expect("a small case");
        loaded.run(2).expect("launches");
        loaded.poison().expect("poisoned");
        let expected: Vec<u8> = POISON.to_le_bytes().into_iter().cycle().take(42).collect();
        for set in 0..2 {
            assert_eq!(
                loaded.read(set).expect("outputs"),
                std::slice::from_ref(&expected)
            );
        }
    }
}

#[test]
fn a_batch_of_many_command_buffers_runs_whole() {
    let copy = workload("mem.copy.v1");
    let case = dims(&[("n", 5)]);
    let seed = fresh_seed();
    for device in devices() {
        let inputs = inputs::generate(copy, &case, &seed.0);
        let mut loaded = device
            .load(copy, PathClass::Portable, &case, &inputs, 7)
            .expect("a small case");
        loaded.poison().expect("poisoned");
        // Two full command buffers and one launch; 8193 = 3 modulo 7 sets, so the next batch begins elsewhere.
        for launches in [1, 8193, 4096, 100_000] {
            loaded.run(launches).expect("launches");
        }
        for set in 0..7 {
            let outputs = loaded.read(set).expect("outputs");
            check::check(copy, &case, &inputs, &outputs, &seed.0).expect("a copy");
        }
    }
}

#[test]
fn what_a_device_cannot_hold_is_refused_with_the_numbers() {
    for device in devices() {
        let copy = workload("mem.copy.v1");
        let huge = dims(&[("n", 1 << 31)]);
        let reason = device
            .refusal(copy, PathClass::Portable, &huge, 1)
            .expect("8 GiB in one buffer");
        assert!(reason.contains("8589934592 bytes exceeds"), "{reason}");
        let modest = dims(&[("n", 1 << 20)]);
        assert_eq!(device.refusal(copy, PathClass::Portable, &modest, 1), None);
        let reason = device
            .refusal(copy, PathClass::Portable, &modest, 1 << 20)
            .expect("8 TiB in all");
        assert!(reason.contains("1048576 sets of 8388608 bytes"), "{reason}");
        let beyond = dims(&[("m", 1 << 40), ("n", 1 << 40), ("k", 1)]);
        assert!(
            device
                .refusal(workload("gemm.f32.v1"), PathClass::Portable, &beyond, 1)
                .is_some()
        );
        let error = device
            .load(copy, PathClass::Portable, &huge, &[], 1)
            .err()
            .expect("refused");
        assert!(error.to_string().contains("exceeds"), "{error}");
    }
}

#[test]
fn outputs_of_repeated_launches_are_the_same_bytes() {
    let seed = fresh_seed();
    for device in devices() {
        for workload in WORKLOADS {
            let case = &workload.spec.cases[0].dims;
            let inputs = inputs::generate(workload, case, &seed.0);
            let mut loaded = device
                .load(workload, PathClass::Portable, case, &inputs, 1)
                .expect("a small case");
            let digests: Vec<Sha256> = (0..3)
                .map(|_| {
                    loaded.poison().expect("poisoned");
                    loaded.run(2).expect("launches");
                    Sha256::of(&loaded.read(0).expect("outputs").concat())
                })
                .collect();
            assert!(
                digests.iter().all(|digest| *digest == digests[0]),
                "{}",
                workload.spec.id
            );
        }
    }
}

/// Child of the test below, in a process whose loader finds no driver.
#[test]
#[ignore = "started by a_loader_without_drivers_is_an_absence"]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn absence() {
    let found = device::discover();
    assert!(
        found
            .devices
            .iter()
            .all(|device| device.facts().api != Api::Vulkan)
    );
    let absent = found
        .absent
        .iter()
        .find(|absent| absent.api == Api::Vulkan)
        .expect("a reason");
    println!("absent: {} / {}", absent.reason, absent.hint);
}

#[test]
fn a_loader_without_drivers_is_an_absence() {
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "vulkan::absence", "--ignored", "--nocapture"])
        .env("VK_DRIVER_FILES", "/nonexistent/driver.json")
        .env("VK_ICD_FILENAMES", "/nonexistent/driver.json")
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(said.contains("absent: ") && said.contains("install "), "{said}");
}

/// Child of the test below: the first launch of one case, and of the same case loaded again.
#[test]
#[ignore = "started by a_case_loaded_again_compiles_nothing"]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn first_launches() {
    let gemm = workload("gemm.i8.v1");
    let case = &gemm.spec.cases[0].dims;
    let inputs = inputs::generate(gemm, case, &fresh_seed().0);
    for device in devices() {
        let first_launch = |_| {
            let mut loaded = device
                .load(gemm, PathClass::Portable, case, &inputs, 1)
                .expect("a small case");
            loaded.run(1).expect("a launch").host_ns
        };
        let [cold, again] = [0, 1].map(first_launch);
        println!("launches: {cold} {again}");
    }
}

/// Mesa keeps compiled shaders in the home folder unless it is told not to.
#[test]
fn a_case_loaded_again_compiles_nothing() {
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "vulkan::first_launches", "--ignored", "--nocapture"])
        .env("MESA_SHADER_CACHE_DISABLE", "true")
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    for line in said.lines().filter_map(|line| line.strip_prefix("launches: ")) {
        let times: Vec<u64> = line
            .split(' ')
            .map(|ns| ns.parse().expect("nanoseconds"))
            .collect();
        // A driver that compiles earlier than the first launch has nothing to show here.
        assert!(times[0] < 200_000_000 || times[1] < times[0] / 2, "{times:?} ns");
    }
}
