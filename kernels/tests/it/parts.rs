//! Loaded cases given new inputs, and read in parts.

use attest::digest::Sha256;
use attest::spec::Dims;
use attest::statement::PathClass;
use kernels::catalogue::find;
use kernels::device::{Device, DeviceError, Loaded};
use kernels::workload::{Plan, Slot, Workload};
use kernels::{check, inputs};

use crate::harness::{devices, dims, fresh_seed, runs_on};

/// A case on new inputs is right in every set, whatever it was loaded with.
pub(crate) fn rewritten_inputs_are_what_is_computed(device: &dyn Device, workload: &Workload, dims: &Dims) {
    const SETS: u32 = 3;
    let (old, new) = (fresh_seed(), Sha256::of(&fresh_seed().0));
    let mut loaded = device
        .load(
            workload,
            PathClass::Portable,
            dims,
            &inputs::generate(workload, dims, &old.0),
            SETS,
        )
        .expect("a small case");
    loaded.run(u64::from(SETS)).expect("launches on the old inputs");
    let inputs = inputs::generate(workload, dims, &new.0);
    for (index, bytes) in inputs.iter().enumerate() {
        loaded.write(index, bytes).expect("as long as the old");
    }
    loaded.poison().expect("poisoned");
    loaded.run(u64::from(SETS)).expect("launches");
    for set in 0..SETS {
        let outputs = loaded.read(set).expect("outputs");
        check::check(workload, dims, &inputs, &outputs, &new.0)
            .unwrap_or_else(|error| panic!("{}: {error}; seed {new}", device.facts().id));
    }
}

/// Every way a part can lie to words: from the first byte to the last, at odd offsets, empty.
pub(crate) fn parts_are_those_of_the_whole(loaded: &mut dyn Loaded, set: u32) {
    let whole = loaded.read(set).expect("outputs");
    for (index, whole) in whole.iter().enumerate() {
        let size = whole.len();
        for (offset, len) in [
            (0, size),
            (0, 0),
            (0, 1),
            (size, 0),
            (size - 1, 1),
            (size / 2, size - size / 2),
            (size / 3, 5.min(size - size / 3)),
            (size / 2 + 1, 1.min(size - size / 2 - 1)),
        ] {
            let part = loaded.read_range(index, set, offset as u64, len).expect("inside");
            assert_eq!(
                part,
                whole[offset..offset + len],
                "{len} bytes at {offset} of {size}"
            );
        }
    }
}

#[test]
fn a_loaded_case_takes_new_inputs_in_every_set() {
    for device in devices() {
        for workload in runs_on(device.as_ref()) {
            let dims = (workload.odd_sizes)().swap_remove(2);
            rewritten_inputs_are_what_is_computed(device.as_ref(), workload, &dims);
        }
    }
}

#[test]
fn parts_of_an_output_are_read_without_the_rest() {
    let odd = dims(&[("rows", 3), ("cols", 7)]);
    // Two pieces of Vulkan's staging buffer, the second of 20 bytes.
    let large = dims(&[("n", (8 << 20) + 5)]);
    for device in devices() {
        for (id, dims) in [("rmsnorm.f16.v1", &odd), ("mem.copy.v1", &large)] {
            let workload = find(id).expect("in the catalogue");
            let inputs = inputs::generate(workload, dims, &fresh_seed().0);
            let mut loaded = device
                .load(workload, PathClass::Portable, dims, &inputs, 2)
                .expect("a small case");
            loaded.run(2).expect("launches");
            for set in 0..2 {
                parts_are_those_of_the_whole(loaded.as_mut(), set);
            }
        }
    }
}

/// The shim of the tests checks nothing.
#[test]
fn parts_and_inputs_that_are_not_there_are_refused() {
    let gemm = find("gemm.i8.v1").expect("in the catalogue");
    let dims = dims(&[("m", 3), ("n", 5), ("k", 7)]);
    for device in devices()
        .iter()
        .filter(|device| !device.facts().id.starts_with("cuda:shim"))
    {
        expect_refusals(device.as_ref(), gemm, &dims);
    }
}

/// C is 60 bytes, A 21.
pub(crate) fn expect_refusals(device: &dyn Device, gemm: &Workload, dims: &Dims) {
    let inputs = inputs::generate(gemm, dims, &fresh_seed().0);
    let mut loaded = device
        .load(gemm, PathClass::Portable, dims, &inputs, 2)
        .expect("a small case");
    let expect = |outcome: Result<(), DeviceError>, words: &str| {
        let error = outcome.expect_err(words);
        assert!(matches!(error, DeviceError::Outside { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let mut read = |output, set, offset, len| loaded.read_range(output, set, offset, len).map(drop);
    expect(read(1, 0, 0, 1), "there are 1 outputs, none is 1");
    expect(read(0, 2, 0, 1), "there are 2 sets, none is 2");
    expect(
        read(0, 1, 60, 1),
        "1 bytes at 60 end outside output 0 of 60 bytes",
    );
    expect(read(0, 1, 0, 61), "61 bytes at 0");
    expect(read(0, 1, u64::MAX, 2), "end outside");
    expect(loaded.write(2, &[]), "there are 2 inputs, none is 2");
    expect(loaded.write(0, &[0; 20]), "input 0 takes 21 bytes, 20 were given");
}

/// The halves of an array exchanged: launches take parts of buffers, at the offset and of the length they say.
#[test]
fn launches_take_parts_of_buffers_on_every_device() {
    const HALF: u64 = 192;
    let copy = find("mem.copy.v1").expect("in the catalogue");
    let exchanged = Workload {
        plan: |dims, target| {
            let copy = find("mem.copy.v1").expect("in the catalogue");
            let half = [("n".to_owned(), dims["n"] / 2)].into();
            let bytes = 4 * HALF;
            let launch = |[from, to]: [u64; 2]| {
                let mut launch = (copy.plan)(&half, target).launches.swap_remove(0);
                launch.buffers = vec![
                    Slot::Input(0).part(from, bytes),
                    Slot::Output(0).part(0, 2 * bytes).part(to, bytes),
                ];
                launch
            };
            Plan {
                scratch: vec![],
                launches: [[0, bytes], [bytes, 0]].map(launch).into(),
            }
        },
        ..*copy
    };
    let dims = dims(&[("n", 2 * HALF)]);
    let inputs = inputs::generate(copy, &dims, &fresh_seed().0);
    for device in devices().iter().skip(1) {
        let mut loaded = device
            .load(&exchanged, PathClass::Portable, &dims, &inputs, 1)
            .expect("a small case");
        loaded.poison().expect("poisoned");
        loaded.run(1).expect("launches");
        let (first, second) = inputs[0].split_at(4 * HALF as usize);
        let output = loaded.read(0).expect("an output").swap_remove(0);
        assert!(output == [second, first].concat(), "{}", device.facts().id);
    }
}
