//! Every workload at sizes that no tile divides.

use attest::spec::{Dims, Size};
use attest::statement::Quality;
use kernels::catalogue::WORKLOADS;
use kernels::tree::{HASH, nodes};
use kernels::workload::Workload;

use crate::harness::{devices, dims, expect_right, fresh_seed};

const GEMM: &[[u64; 3]] = &[
    [1, 1, 1],
    [1, 1, 257],
    [2, 3, 1],
    [6, 16, 8],
    [7, 13, 5],
    [17, 31, 29],
    [64, 64, 64],
    [65, 129, 33],
    [97, 101, 103],
    [128, 1, 64],
    [1, 130, 7],
    [5, 17, 1025],
    [257, 130, 515],
];

/// Larger than one cache block of the CPU's matrix product in each direction in turn.
const GEMM_BLOCKS: &[[u64; 3]] = &[[1031, 67, 129], [67, 2053, 129], [67, 129, 2053], [211, 521, 773]];

const VECTOR: &[u64] = &[1, 2, 3, 5, 17, 255, 257, 1021, 4099, 65_536, 65_537, 1_048_583];

const ROWS: &[[u64; 2]] = &[
    [1, 1],
    [1, 257],
    [3, 7],
    [5, 1021],
    [13, 1024],
    [2, 4099],
    [257, 3],
    [1031, 1],
    [1, 128_256],
];

/// Lanes, width, layers and steps: lanes and widths that no tile divides, a single lane, no step at all.
const NETWORKS: &[[u64; 4]] = &[
    [1, 64, 1, 1],
    [3, 128, 2, 0],
    [7, 16, 2, 3],
    [37, 48, 3, 2],
    [33, 80, 1, 5],
    [131, 192, 3, 4],
    [17, 256, 1, 270],
    [65, 256, 2, 3],
    [129, 512, 2, 2],
    [17, 960, 2, 3],
    [5, 1024, 2, 2],
];

/// Entries, lanes, steps and rounds: one lane, no step, one entry, lanes that no group of threads divides.
const WALKS: &[[u64; 4]] = &[
    [16, 1, 3, 1],
    [1, 3, 7, 2],
    [64, 17, 0, 1],
    [2, 2, 1, 16],
    [256, 67, 13, 3],
    [1024, 101, 31, 2],
    // Three launches of 16,384 steps at most.
    [32, 5, 40_003, 1],
    [4096, 257, 5, 1],
];

/// Sizes for the dimensions a workload has: `m`, `n`, `k`; `rows`, `cols`; `n`.
pub(crate) fn odd_sizes(workload: &Workload) -> Vec<Dims> {
    let case = &workload.spec.cases[0].dims;
    let names: Vec<&str> = case.keys().map(String::as_str).collect();
    match names.as_slice() {
        ["k", "m", "n"] => GEMM.iter().map(gemm).collect(),
        ["n"] => VECTOR.iter().map(|&n| dims(&[("n", n)])).collect(),
        ["cols", "rows"] => ROWS
            .iter()
            .map(|&[rows, cols]| dims(&[("rows", rows), ("cols", cols)]))
            .collect(),
        names if names.contains(&"steps") && names.contains(&"layers") => {
            NETWORKS.iter().map(network).collect()
        }
        names if names.contains(&"entries") => WALKS.iter().map(walks).collect(),
        other => panic!("{}: add odd sizes for dimensions {other:?}", workload.spec.id),
    }
}

pub(crate) fn network(&[m, n, layers, steps]: &[u64; 4]) -> Dims {
    dims(&[
        ("m", m),
        ("n", n),
        ("layers", layers),
        ("steps", steps),
        ("nodes", nodes(m)),
        ("key", 8),
        ("hash", 32),
    ])
}

pub(crate) fn walks(&[entries, m, steps, rounds]: &[u64; 4]) -> Dims {
    dims(&[
        ("entries", entries),
        ("m", m),
        ("steps", steps),
        ("rounds", rounds),
        ("keys", 2),
        ("nodes", nodes(m)),
        ("hash", HASH as u64),
    ])
}

fn gemm(&[m, n, k]: &[u64; 3]) -> Dims {
    dims(&[("m", m), ("n", n), ("k", k)])
}

#[test]
fn every_device_agrees_with_the_reference_at_odd_sizes() {
    for device in devices() {
        for workload in WORKLOADS {
            for dims in odd_sizes(workload) {
                expect_right(device.as_ref(), workload, &dims, fresh_seed());
            }
        }
    }
}

#[test]
fn every_device_agrees_with_the_reference_on_the_small_cases() {
    for device in devices() {
        for workload in WORKLOADS {
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

#[test]
fn the_cpu_agrees_with_the_reference_across_its_cache_blocks() {
    let devices = devices();
    for workload in WORKLOADS {
        if workload.spec.cases[0].dims.contains_key("k") {
            for sizes in GEMM_BLOCKS {
                expect_right(devices[0].as_ref(), workload, &gemm(sizes), fresh_seed());
            }
        }
    }
}

/// The same bits for the same case, however the threads are scheduled.
#[test]
fn a_repeated_run_on_a_device_gives_the_same_bytes() {
    let seed = fresh_seed();
    for device in devices() {
        for workload in WORKLOADS {
            let dims = odd_sizes(workload).pop().expect("odd sizes");
            let [one, other] = [0, 1].map(|_| expect_right(device.as_ref(), workload, &dims, seed));
            assert_eq!(one, other, "{} on {}", workload.spec.id, device.facts().id);
        }
    }
}
