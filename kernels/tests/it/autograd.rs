//! References of training against PyTorch's automatic differentiation, where a Python with PyTorch is at hand: `python3`, or
//! what `HALLMARK_PYTHON` names.

use std::io::Write as _;
use std::process::{Command, Stdio};

use attest::spec::{Dims, Size};
use kernels::catalogue::find;
use kernels::inputs;
use kernels::workload::{Reference, Workload};

use crate::harness::fresh_seed;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/autograd.py");

/// Both are f64 and differ in the order of their sums only.
const ALLOWED: f64 = 1e-10;

#[test]
fn the_reference_of_the_block_is_what_pytorch_derives() {
    let python = std::env::var("HALLMARK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import torch, numpy"]).output();
    if !found.is_ok_and(|found| found.status.success()) {
        eprintln!("NOT COMPARED with PyTorch: {python} has none; HALLMARK_PYTHON names one that has");
        return;
    }
    let workload = find("train.block.f32.v1").expect("in the catalogue");
    let small = { workload.spec.cases.iter() }.filter(|case| case.size == Size::Small);
    for dims in (workload.odd_sizes)().iter().chain(small.map(|case| &case.dims)) {
        compare(workload, dims, &python);
    }
}

fn compare(workload: &Workload, dims: &Dims, python: &str) {
    let seed = fresh_seed();
    let inputs = inputs::generate(workload, dims, &seed.0);
    let mut derived = derive(python, dims, &inputs).into_iter();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let Reference::Whole(reference) = workload.reference else {
        panic!("a network is computed whole");
    };
    let outputs = reference(dims, &inputs);
    for (tensor, output) in workload.spec.outputs.iter().zip(outputs) {
        for (index, (got, want)) in output.into_iter().zip(&mut derived).enumerate() {
            assert!(
                (got - want).abs() <= ALLOWED * (1.0 + want.abs()),
                "{} of {dims:?}, element {index}: {got}, PyTorch derives {want}; HALLMARK_SEED={seed}",
                tensor.name
            );
        }
    }
    assert_eq!(derived.next(), None);
}

fn derive(python: &str, dims: &Dims, inputs: &[Vec<u8>]) -> Vec<f64> {
    let names = ["tokens", "hidden", "heads", "kvheads", "width", "inner"];
    let mut script = Command::new(python)
        .arg(SCRIPT)
        .args(names.map(|name| dims[name].to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = script.stdin.take().expect("piped");
    stdin.write_all(&inputs.concat()).expect("the script reads");
    drop(stdin);
    let output = script.wait_with_output().expect("the script ends");
    assert!(output.status.success(), "the script failed");
    let (words, _) = output.stdout.as_chunks();
    words.iter().map(|word| f64::from_le_bytes(*word)).collect()
}
