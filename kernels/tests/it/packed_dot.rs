//! Kernels for Vulkan devices with a packed dot product: who gets them, and that they are right wherever they run.

use attest::digest::Sha256;
use attest::spec::{Class, Dims};
use attest::statement::{Api, Device as Facts, DeviceKind, Driver, PathClass};
use kernels::catalogue::find;
use kernels::device::{self, Device};
use kernels::inputs;
use kernels::workload::{Plan, Target, Workload};

use crate::harness::{dims, expect_right, fresh_seed};
use crate::vectors::expect_vectors_of_proof_mlp_i8;
use crate::vulkan::devices;

const IDS: [&str; 4] = ["gemm.i8.v1", "proof.mlp.i8.v1", "gemv.q4.v1", "gemm.q4.v1"];

fn workload(id: &str) -> &'static Workload {
    find(id).expect("in the catalogue")
}

/// The plan for a GPU with a packed dot product, whatever the device is.
fn dot_plan<const INDEX: usize>(dims: &Dims, target: Target) -> Plan {
    let gpu = Target {
        software: false,
        packed_dot: true,
        ..target
    };
    (workload(IDS[INDEX]).plan)(dims, gpu)
}

/// The workloads, by kernels with a packed dot product.
fn dots() -> [Workload; 4] {
    let plans = [dot_plan::<0>, dot_plan::<1>, dot_plan::<2>, dot_plan::<3>];
    [0, 1, 2, 3].map(|index| Workload {
        plan: plans[index],
        ..*workload(IDS[index])
    })
}

/// Vulkan devices that take the instruction, fast or not.
fn takers() -> Vec<Box<dyn Device>> {
    let mut devices = devices();
    let allowed = devices.is_empty();
    devices.retain(|device| {
        let features = &device.facts().features;
        features.iter().any(|name| name == "shaderIntegerDotProduct")
    });
    assert!(
        allowed || !devices.is_empty(),
        "no device takes packed dot products"
    );
    devices
}

#[test]
fn packed_dot_products_agree_with_the_reference_at_odd_sizes() {
    const PRODUCTS: [[u64; 3]; 4] = [[129, 3, 8], [131, 257, 67], [128, 128, 64], [1, 130, 1025]];
    for device in takers() {
        for dot in dots() {
            let mut sizes = (dot.odd_sizes)();
            if dot.spec.id == IDS[0] {
                sizes.extend(PRODUCTS.map(|[m, n, k]| dims(&[("m", m), ("n", n), ("k", k)])));
            }
            for dims in sizes {
                expect_right(device.as_ref(), &dot, &dims, fresh_seed());
            }
        }
    }
}

#[test]
fn packed_dot_products_reproduce_the_vectors() {
    for device in takers() {
        expect_vectors_of_proof_mlp_i8(device.as_ref(), &dots()[1]);
    }
}

/// The digest is published, so the processor's must be met to the byte.
#[test]
fn packed_dot_products_give_the_bytes_of_the_processor() {
    let cpu = device::discover().devices.swap_remove(0);
    for device in takers() {
        for dot in dots().into_iter().filter(|dot| dot.spec.class == Class::Exact) {
            let case = &dot.spec.cases[0].dims;
            let inputs = inputs::generate(&dot, case, &fresh_seed().0);
            let digests = [&cpu, &device].map(|device| {
                let mut loaded = device
                    .load(&dot, PathClass::Portable, case, &inputs, 1)
                    .expect("a small case");
                loaded.poison().expect("poisoned");
                loaded.run(1).expect("a launch");
                Sha256::of(&loaded.read(0).expect("outputs").concat())
            });
            assert_eq!(digests[0], digests[1], "{}", dot.spec.id);
        }
    }
}

/// Facts of a device with those features.
fn facts(kind: DeviceKind, features: &[&str]) -> Facts {
    Facts {
        id: "vulkan:0".into(),
        api: Api::Vulkan,
        kind,
        name: "a device".into(),
        vendor: "a vendor".into(),
        driver: Driver {
            name: "a driver".into(),
            version: "1".into(),
        },
        memory_bytes: 1 << 30,
        compute_units: None,
        cache_bytes: None,
        features: features.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// Names of the kernels that multiply.
fn chosen(kind: DeviceKind, features: &[&str]) -> Vec<&'static str> {
    let target = Target::of(&facts(kind, features));
    let kernel = |id| {
        let workload = workload(id);
        let launches = (workload.plan)(&workload.spec.cases[0].dims, target).launches;
        let names = launches.iter().map(|launch| launch.kernel.name);
        let mut products = names.filter(|name| !name.ends_with("_fill") && *name != "merkle");
        products.next().expect("a product")
    };
    IDS.map(kernel).to_vec()
}

#[test]
fn only_devices_with_an_instruction_for_it_get_packed_dot_products() {
    const TAKES: &str = "shaderIntegerDotProduct";
    const FAST: &str = "integerDotProduct4x8BitPackedSignedAccelerated";
    let wide = ["gemm_i8", "proof_mlp_i8", "gemv_q4", "gemm_q4"];
    let dot = ["gemm_i8_dot", "proof_mlp_i8_dot", "gemv_q4_dot", "gemm_q4_dot"];
    let narrow = [
        "gemm_i8_narrow",
        "proof_mlp_i8_narrow",
        "gemv_q4",
        "gemm_q4_narrow",
    ];
    let processor = ["subgroupBallot", "subgroupSize8", TAKES];
    assert_eq!(chosen(DeviceKind::Gpu, &[TAKES, FAST]), dot);
    assert_eq!(chosen(DeviceKind::Gpu, &[TAKES]), wide);
    assert_eq!(chosen(DeviceKind::Gpu, &[FAST]), wide);
    assert_eq!(chosen(DeviceKind::Software, &processor), narrow);
    assert_eq!(chosen(DeviceKind::Software, &[TAKES]), wide);
    let few = ["subgroupBallot", "subgroupSize4", TAKES];
    assert_eq!(chosen(DeviceKind::Software, &few), wide);
}
