//! The CUDA device on driver libraries made for the test: broken ones, and one that runs kernels without a card.
//!
//! The driver is opened once in a process, so each library gets a child process, which runs one test of this file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use attest::digest::Sha256;
use attest::statement::{Api, PathClass};
use kernels::catalogue::{WORKLOADS, find};
use kernels::device::cuda::Outcome;
use kernels::device::{self, Device, DeviceError, Loaded};
use kernels::inputs;
use kernels::workload::Workload;
use tempfile::TempDir;

use crate::harness::{dims, expect_right, expect_right_on, fresh_seed, run_and_check};
use crate::shim::library::compiled;
use crate::{generate, parts, tree};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Folder of the fake device's kernels; set in the child that runs them.
const KERNELS: &str = "FAKE_CUDA_KERNELS";

/// Names the vendor's library.
const LIBRARY: &str = "HALLMARK_CUBLASLT";

/// A folder that holds the fake driver, built with `defines`, by the first name that is tried.
fn driver(defines: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    build("fake_cuda.cpp", defines, &folder.path().join("libcuda.so"));
    folder
}

fn build(source: &str, defines: &[&str], library: &Path) {
    let status = Command::new("g++")
        .args(["-std=c++17", "-O2", "-shared", "-fPIC", "-pthread"])
        .args(defines)
        .arg(format!("{PACKAGE}/shim/{source}"))
        .arg("-o")
        .arg(library)
        .arg("-ldl")
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "g++ builds {source}; hint: apt-get install g++"
    );
}

/// Runs one test of this file in a process that finds its libraries in `folder`.
fn child(test: &str, folder: &Path, kernels: Option<&Path>) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args([
            "--exact",
            &format!("cuda_driver::{test}"),
            "--nocapture",
            "--include-ignored",
        ])
        .env("LD_LIBRARY_PATH", folder)
        .env(LIBRARY, folder.join("libcublasLt.so"));
    if let Some(kernels) = kernels {
        command.env(KERNELS, kernels);
    }
    command.output().expect("this test starts")
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// On its own: whatever driver is here, or none, discovery returns. In a child: says what it found.
#[test]
fn discovery_returns_whatever_the_driver_is() {
    let found = device::discover();
    for absent in found.absent.iter().filter(|absent| absent.api == Api::Cuda) {
        assert!(!absent.hint.is_empty());
        eprintln!("absent: {}", absent.reason);
    }
    for card in found
        .devices
        .iter()
        .filter(|device| device.facts().api == Api::Cuda)
    {
        eprintln!("found: {:?} {}", card.facts(), card.uuid());
    }
}

#[test]
fn each_defect_of_a_driver_is_an_absence_with_its_reason() {
    for (defines, reason) in [
        ("-DLACKS_UUID", "has no function cuDeviceGetUuid_v2"),
        ("-DLACKS_LAUNCH", "has no function cuLaunchKernel"),
        ("-DVERSION=11080", "the driver supports CUDA 11.8, 12.0 is needed"),
        ("-DINIT=999", "the CUDA driver does not start"),
    ] {
        let output = child(
            "discovery_returns_whatever_the_driver_is",
            driver(&[defines]).path(),
            None,
        );
        let text = text(&output);
        assert!(output.status.success(), "{defines}: {text}");
        let absent: Vec<_> = text.lines().filter(|line| line.contains("absent: ")).collect();
        assert!(
            absent.len() == 1 && absent[0].contains(reason),
            "{defines}: {text}"
        );
        assert!(!text.contains("panicked"), "{defines}: {text}");
    }
}

#[test]
fn no_driver_library_is_an_absence() {
    let folder = tempfile::tempdir().expect("a folder");
    // Not libraries at all, so that a driver of this machine is not found behind them.
    for name in ["cuda", "nvcuda"].map(cudarc::get_lib_name_candidates).concat() {
        fs::write(folder.path().join(name), "not a library").expect("writable");
    }
    let output = child("discovery_returns_whatever_the_driver_is", folder.path(), None);
    let text = text(&output);
    assert!(
        output.status.success() && text.contains("libcuda.so.1 is not installed"),
        "{text}"
    );
}

#[test]
fn every_workload_runs_through_the_driver_interface() {
    let kernels = tempfile::tempdir().expect("a folder");
    for folder in fs::read_dir(format!("{PACKAGE}/src")).expect("sources").flatten() {
        let files = fs::read_dir(folder.path()).into_iter().flatten().flatten();
        let sources = files.map(|file| file.path());
        for source in sources.filter(|path| path.extension().is_some_and(|extension| extension == "cu")) {
            let name = source.file_stem().expect("a name").to_string_lossy().into_owned();
            let library = compiled(&source).expect("g++ compiles the source");
            let library = fs::canonicalize(library).expect("there");
            symlink(library, kernels.path().join(format!("{name}.so"))).expect("writable");
        }
    }
    // With the vendor's library, and without.
    for defines in [&[][..], &["-DLACKS_POOLS"]] {
        let folder = driver(defines);
        if defines.is_empty() {
            build("fake_cublaslt.cpp", &[], &folder.path().join("libcublasLt.so"));
        }
        let output = child("a_card_that_is_a_fake", folder.path(), Some(kernels.path()));
        assert!(output.status.success(), "{defines:?}: {}", text(&output));
    }
}

/// Runs in the child of the test above, and passes over everything elsewhere.
#[test]
#[ignore = "needs the fake driver, with which another test runs it"]
fn a_card_that_is_a_fake() {
    assert!(
        std::env::var_os(KERNELS).is_some(),
        "run every_workload_runs_through_the_driver_interface"
    );
    let devices = device::discover().devices;
    let card = devices
        .iter()
        .find(|device| device.facts().id == "cuda:0")
        .expect("the fake");
    let facts = card.facts();
    assert_eq!(
        (facts.name.as_str(), facts.vendor.as_str()),
        ("Fake H0", "NVIDIA")
    );
    assert_eq!(facts.features, ["sm_90"]);
    assert_eq!(
        (facts.compute_units, facts.cache_bytes),
        (Some(132), Some(50 << 20))
    );
    assert!(facts.driver.version.contains("CUDA 13.0"));
    assert_eq!(card.uuid(), "00112233-4455-6677-8899-aabbccddeeff");
    for workload in WORKLOADS {
        let tuned = workload.tuned.map(|_| PathClass::Tuned);
        for dims in (workload.odd_sizes)() {
            for path in [PathClass::Portable].into_iter().chain(tuned) {
                expect_right_on(card.as_ref(), workload, path, &dims, fresh_seed());
            }
        }
    }
    for workload in WORKLOADS {
        let dims = (workload.odd_sizes)().swap_remove(2);
        parts::rewritten_inputs_are_what_is_computed(card.as_ref(), workload, &dims);
        let inputs = inputs::generate(workload, &dims, &[7; 32]);
        let mut loaded = card
            .load(workload, PathClass::Portable, &dims, &inputs, 2)
            .expect("a small case");
        loaded.run(2).expect("launches");
        parts::parts_are_those_of_the_whole(loaded.as_mut(), 1);
    }
    let gemm = find("gemm.i8.v1").expect("in the catalogue");
    parts::expect_refusals(card.as_ref(), gemm, &dims(&[("m", 3), ("n", 5), ("k", 7)]));
    tree::expect_trees(card.as_ref());
    generate::expect_the_tokens_of_transformers(card.as_ref());
    batches_agree_with_the_host(card.as_ref(), WORKLOADS[0]);
    launches_rotate_over_the_sets(card.as_ref(), WORKLOADS[0]);
    too_much_is_refused_and_reported(card.as_ref(), WORKLOADS[0]);
    // On the host, large products would take hours.
    if !has_library() {
        peers_are_timed_or_absent();
    }
    products_have_a_vendor_path_where_its_library_is(card.as_ref());
}

/// Whether this child was given the library.
fn has_library() -> bool {
    std::env::var_os(LIBRARY).is_some_and(|path| Path::new(&path).exists())
}

fn products_have_a_vendor_path_where_its_library_is(card: &dyn Device) {
    let vendor = |workload: &&&Workload| workload.paths().contains(&PathClass::Vendor);
    for workload in WORKLOADS.iter().filter(vendor) {
        let mut right = 0;
        for dims in (workload.odd_sizes)() {
            match run_and_check(card, workload, PathClass::Vendor, &dims, fresh_seed()) {
                Ok(_) => right += 1,
                Err(error) => {
                    let reasons = ["multiples of 16", "has no algorithm for this product", LIBRARY];
                    assert!(reasons.iter().any(|reason| error.contains(reason)), "{error}");
                }
            }
        }
        // The square of 64 at least.
        assert_eq!(right > 0, has_library(), "{}", workload.spec.id);
    }
    let gemm = find("gemm.f16.v1").expect("in the catalogue");
    let dims = dims(&[("m", 2), ("n", 3), ("k", 5)]);
    let inputs = inputs::generate(gemm, &dims, &[7; 32]);
    match card.load(gemm, PathClass::Vendor, &dims, &inputs, 2) {
        Err(error) => assert!(!has_library() && error.to_string().contains("cuBLASLt is not installed")),
        Ok(loaded) => {
            let library = loaded.library().expect("the vendor's");
            assert_eq!((&*library.name, &*library.version), ("cuBLASLt", "12.8.4"));
            assert_eq!(
                library.algorithm,
                "algorithm 9, tile 1, stages 6, split-k 2; fastest of 2"
            );
        }
    }
    let copy = find("mem.copy.v1").expect("in the catalogue");
    let reason = card.refusal(copy, PathClass::Vendor, &copy.spec.cases[0].dims, 1);
    assert_eq!(reason.as_deref(), Some("cuBLASLt has no mem.copy.v1"));
}

/// Batches on both sides of the number queued before the gate opens.
fn batches_agree_with_the_host(card: &dyn Device, copy: &Workload) {
    let dims = dims(&[("n", 5_003)]);
    let inputs = inputs::generate(copy, &dims, &[7; 32]);
    let mut loaded = card
        .load(copy, PathClass::Portable, &dims, &inputs, 1)
        .expect("a small case");
    for launches in [1, 255, 256, 257, 700] {
        // The device's span lies inside the host's, and fills it unless the host was kept from running.
        let sound = (0..20).any(|_| {
            let elapsed = loaded.run(launches).expect("a batch");
            let inside = elapsed.device_ns > 0 && elapsed.device_ns <= elapsed.host_ns + 1_000;
            inside && elapsed.device_ns >= elapsed.host_ns / 2
        });
        assert!(sound, "{launches} launches: the clocks disagree 20 times");
    }
    assert_eq!(loaded.run(0).expect("nothing").host_ns, 0);
}

fn launches_rotate_over_the_sets(card: &dyn Device, copy: &Workload) {
    let dims = dims(&[("n", 5)]);
    let inputs = inputs::generate(copy, &dims, &[7; 32]);
    let mut loaded = card
        .load(copy, PathClass::Portable, &dims, &inputs, 3)
        .expect("a small case");
    loaded.poison().expect("poisoned");
    let written =
        |loaded: &mut dyn Loaded| [0, 1, 2].map(|set| loaded.read(set).expect("an output")[0] == inputs[0]);
    assert_eq!(
        written(loaded.as_mut()),
        [false, false, false],
        "poison fills every set"
    );
    loaded.run(2).expect("a batch");
    assert_eq!(written(loaded.as_mut()), [true, true, false]);
    loaded.run(1).expect("a batch");
    assert_eq!(
        written(loaded.as_mut()),
        [true; 3],
        "a batch goes on where the last one ended"
    );
}

fn too_much_is_refused_and_reported(card: &dyn Device, copy: &Workload) {
    let large = dims(&[("n", 1 << 20)]);
    let reason = card
        .refusal(copy, PathClass::Portable, &large, 64)
        .expect("more than the fake has");
    assert!(reason.contains("536870912 bytes"), "{reason}");
    assert_eq!(card.refusal(copy, PathClass::Portable, &large, 1), None);
    let inputs = inputs::generate(copy, &large, &[7; 32]);
    let error = card
        .load(copy, PathClass::Portable, &large, &inputs, 64)
        .err()
        .expect("more than the fake has");
    assert!(
        matches!(error, DeviceError::OutOfMemory { wanted: 536_870_912, limit, .. } if limit < 8 << 20),
        "{error}"
    );
    expect_right(card, copy, &large, Sha256([7; 32]));
}

fn peers_are_timed_or_absent() {
    let peers = device::peers(0).expect("the fake is there");
    let timed: Vec<_> = peers
        .iter()
        .filter(|peer| matches!(peer.outcome, Outcome::Timed(_)))
        .collect();
    assert!(timed.iter().any(|peer| peer.name == "driver copy"), "{peers:?}");
    for peer in peers.iter().filter(|peer| peer.name.starts_with("cuBLASLt")) {
        assert!(peer.cells()[2].contains(LIBRARY), "{peer:?}");
    }
    assert!(device::peers(1).is_err());
}
