//! Every workload at sizes that no tile divides.

use std::collections::BTreeSet;

use attest::spec::{Dims, Size};
use attest::statement::{Api, PathClass, Quality};
use kernels::catalogue::{WORKLOADS, find};
use kernels::workload::{Plan, Target, Workload};

use crate::harness::{devices, dims, expect_right, expect_right_on, fresh_seed, runs, runs_on};
use crate::shim::Shim;

const BATCHED: &str = "gemm.batched.f16.v1";

/// Larger than one cache block of the CPU's matrix product in each direction in turn.
const GEMM_BLOCKS: &[[u64; 3]] = &[[1031, 67, 129], [67, 2053, 129], [67, 129, 2053], [211, 521, 773]];

/// What is wrong with the odd sizes of a workload, one sentence each.
fn faults(workload: &Workload) -> Vec<String> {
    let (id, sizes) = (&workload.spec.id, (workload.odd_sizes)());
    let mut faults = Vec::new();
    if sizes.iter().collect::<BTreeSet<_>>().len() < 3 {
        faults.push(format!("{id}: fewer than three odd sizes"));
    }
    let names: Vec<&String> = workload.spec.cases[0].dims.keys().collect();
    if sizes.iter().any(|dims| !dims.keys().eq(names.iter().copied())) {
        faults.push(format!("{id}: odd sizes are of {names:?}, as the cases"));
    }
    let varied = |name: &&&String| sizes.iter().any(|dims| dims.get(**name) != sizes[0].get(**name));
    let mut varied = names.iter().filter(varied);
    if !varied.any(|name| {
        sizes
            .iter()
            .any(|dims| dims.get(*name).is_some_and(|&size| size > 1 && size % 2 == 1))
    }) {
        faults.push(format!("{id}: no odd size is odd"));
    }
    faults
}

#[test]
fn every_workload_has_odd_sizes() {
    let found: Vec<String> = WORKLOADS.iter().flat_map(|workload| faults(workload)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_workload_without_odd_sizes_is_noticed() {
    let with = |odd_sizes| {
        faults(&Workload {
            odd_sizes,
            ..*WORKLOADS[0]
        })
        .len()
    };
    assert_eq!(with(Vec::new), 2);
    assert_eq!(with(|| [1, 2, 64].map(|n| dims(&[("n", n)])).to_vec()), 1);
    assert_eq!(with(|| [1, 3, 3].map(|n| dims(&[("n", n)])).to_vec()), 1);
    assert_eq!(with(|| [1, 3, 5].map(|n| dims(&[("n", n)])).to_vec()), 0);
    assert_eq!(
        with(|| [1, 3, 5].map(|n| dims(&[("n", n), ("m", 1)])).to_vec()),
        1
    );
}

#[test]
fn a_processor_says_that_it_transfers_nothing() {
    let devices = devices();
    let cpu = devices[0].as_ref();
    let transfers: Vec<_> = WORKLOADS.iter().filter(|workload| !runs(cpu, workload)).collect();
    assert!(!transfers.is_empty());
    for workload in transfers {
        let refusal = cpu.refusal(workload, PathClass::Portable, &workload.spec.cases[0].dims, 1);
        assert!(refusal.is_some_and(|reason| reason.contains("nothing is transferred")));
    }
}

#[test]
fn every_device_agrees_with_the_reference_at_odd_sizes() {
    for device in devices() {
        for workload in runs_on(device.as_ref()) {
            for dims in (workload.odd_sizes)() {
                expect_right(device.as_ref(), workload, &dims, fresh_seed());
            }
        }
    }
}

/// The plan of a batch whose grid is as deep as two products, as where a batch is deeper than any grid.
fn two_deep(dims: &Dims, target: Target) -> Plan {
    let mut plan = (find(BATCHED).expect("in the catalogue").plan)(dims, target);
    assert_eq!(plan.launches[0].grid[2], 5);
    plan.launches[0].grid[2] = 2;
    plan
}

#[test]
fn a_grid_less_deep_than_the_batch_computes_every_product() {
    let shallow = Workload {
        plan: two_deep,
        ..*find(BATCHED).expect("in the catalogue")
    };
    let dims = dims(&[("batch", 5), ("m", 66), ("n", 9), ("k", 19)]);
    for device in devices() {
        expect_right(device.as_ref(), &shallow, &dims, fresh_seed());
    }
}

#[test]
fn every_device_agrees_with_the_reference_on_the_small_cases() {
    for device in devices() {
        for workload in runs_on(device.as_ref()) {
            let cases = workload.spec.cases.iter();
            for case in cases.filter(|case| case.size == Size::Small) {
                let quality = expect_right(device.as_ref(), workload, &case.dims, fresh_seed());
                eprintln!("{} {} {quality:?}", device.facts().id, workload.spec.id);
                let (Quality::Exact {
                    checked, elements, ..
                }
                | Quality::Float {
                    checked, elements, ..
                }) = quality;
                assert_eq!(checked, elements, "small cases are checked whole");
            }
        }
    }
}

/// The shim of the oldest device that has matrix units.
#[test]
fn tuned_kernels_agree_with_the_reference_and_say_where_they_do_not_run() {
    let path = PathClass::Tuned;
    let able = Shim::new(80);
    let tuned: Vec<_> = runs_on(&able)
        .filter(|workload| workload.tuned.is_some())
        .collect();
    for workload in tuned {
        let small = workload.spec.cases.iter().filter(|case| case.size == Size::Small);
        let sizes = small.map(|case| case.dims.clone()).chain((workload.odd_sizes)());
        for dims in sizes {
            expect_right_on(&able, workload, path, &dims, fresh_seed());
        }
        for device in devices() {
            let (facts, dims) = (device.facts(), &workload.spec.cases[0].dims);
            let Some(reason) = device.refusal(workload, path, dims, 1) else {
                expect_right_on(device.as_ref(), workload, path, dims, fresh_seed());
                continue;
            };
            let named = match facts.api {
                Api::Cuda => "compute capability 8.0 and later; this device has",
                _ => "tuned",
            };
            assert!(reason.contains(named), "{}: {reason}", facts.id);
            let inputs = kernels::inputs::generate(workload, dims, &[7; 32]);
            assert!(
                device.load(workload, path, dims, &inputs, 1).is_err(),
                "{}",
                facts.id
            );
        }
    }
}

#[test]
fn the_cpu_agrees_with_the_reference_across_its_cache_blocks() {
    let devices = devices();
    for workload in WORKLOADS {
        if workload.spec.cases[0].dims.keys().eq(["k", "m", "n"]) {
            for &[m, n, k] in GEMM_BLOCKS {
                let dims = dims(&[("m", m), ("n", n), ("k", k)]);
                expect_right(devices[0].as_ref(), workload, &dims, fresh_seed());
            }
        }
    }
}

/// The same bits for the same case, however the threads are scheduled.
#[test]
fn a_repeated_run_on_a_device_gives_the_same_bytes() {
    let seed = fresh_seed();
    for device in devices() {
        for workload in runs_on(device.as_ref()) {
            let dims = (workload.odd_sizes)().pop().expect("odd sizes");
            let [one, other] = [0, 1].map(|_| expect_right(device.as_ref(), workload, &dims, seed));
            assert_eq!(one, other, "{} on {}", workload.spec.id, device.facts().id);
        }
    }
}
