//! References of training against PyTorch: its automatic differentiation and its AdamW, in f64.
//!
//! `HALLMARK_PYTHON=... cargo test --release -p hallmark-kernels --test it autograd -- --include-ignored` compares every odd size,
//! on inputs that nobody has seen. Sums of what PyTorch made from the public seed stand in `autograd.json`, for everyone else:
//! `HALLMARK_UPDATE=autograd HALLMARK_PYTHON=... cargo test --release -p hallmark-kernels --test it autograd` writes it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use attest::exact::PUBLIC_SEED;
use attest::spec::{Dims, Size};
use kernels::catalogue::find;
use kernels::inputs;
use kernels::workload::{Reference, Workload, elements};
use serde::{Deserialize, Serialize};

use crate::harness::fresh_seed;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/autograd.py");
const SUMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/autograd.json");

/// Both are f64 and differ in the order of their sums only.
const ALLOWED: f64 = 1e-10;

/// A workload, what the script calls it and the sizes it wants.
const COMPARED: [(&str, &str, &[&str]); 2] = [
    (
        "train.block.f32.v1",
        "block",
        &["tokens", "hidden", "heads", "kvheads", "width", "inner"],
    ),
    (
        "train.step.v1",
        "step",
        &[
            "tokens", "hidden", "heads", "kvheads", "width", "inner", "layers", "vocab",
        ],
    ),
];

/// The version of PyTorch, where there is one.
fn pytorch(python: &str) -> Option<String> {
    let script = "import numpy, torch; print(torch.__version__, end='')";
    let found = Command::new(python).args(["-c", script]).output();
    let found = found.ok().filter(|found| found.status.success())?;
    Some(String::from_utf8(found.stdout).expect("a version"))
}

fn python() -> String {
    std::env::var("HALLMARK_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[test]
#[ignore = "needs a Python with PyTorch"]
fn references_are_what_pytorch_derives() {
    let python = python();
    assert!(
        pytorch(&python).is_some(),
        "{python} has no PyTorch; HALLMARK_PYTHON names one that has"
    );
    for (id, mode, names) in COMPARED {
        let workload = find(id).expect("in the catalogue");
        let small = { workload.spec.cases.iter() }.filter(|case| case.size == Size::Small);
        for dims in (workload.odd_sizes)().iter().chain(small.map(|case| &case.dims)) {
            let seed = fresh_seed();
            let inputs = inputs::generate(workload, dims, &seed.0);
            let derived = derive(&python, mode, names, dims, &inputs);
            compare(workload, dims, &inputs, derived, &format!("HALLMARK_SEED={seed}"));
        }
    }
}

fn compare(workload: &Workload, dims: &Dims, inputs: &[Vec<u8>], derived: Vec<f64>, repeat: &str) {
    let mut derived = derived.into_iter();
    for (tensor, reference) in workload
        .spec
        .outputs
        .iter()
        .zip(references(workload, dims, inputs))
    {
        for (index, (got, want)) in reference.into_iter().zip(&mut derived).enumerate() {
            assert!(
                (got - want).abs() <= ALLOWED * (1.0 + want.abs()),
                "{} of {dims:?}, element {index}: {got}, PyTorch derives {want}; {repeat}",
                tensor.name
            );
        }
    }
    assert_eq!(derived.next(), None);
}

/// Every output whole.
fn references(workload: &Workload, dims: &Dims, inputs: &[Vec<u8>]) -> Vec<Vec<f64>> {
    let Reference::Whole(reference) = workload.reference else {
        panic!("a network is computed whole");
    };
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    reference(dims, &inputs)
}

fn derive(python: &str, mode: &str, names: &[&str], dims: &Dims, inputs: &[Vec<u8>]) -> Vec<f64> {
    let mut script = Command::new(python)
        .args([SCRIPT, mode])
        .args(names.iter().map(|name| dims[*name].to_string()))
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

/// What PyTorch made of the public seed's inputs.
#[derive(Serialize, Deserialize)]
struct Sums {
    pytorch: String,
    cases: Vec<Case>,
}

#[derive(Serialize, Deserialize)]
struct Case {
    workload: String,
    dims: Dims,
    /// Of each output, [`parts`].
    outputs: Vec<Vec<f64>>,
}

/// Sums of sixteen parts of an output, its elements taken 1 to 97 times, so that none can be exchanged for another unseen.
fn parts(values: &[f64]) -> Vec<f64> {
    const PARTS: usize = 16;
    let weighted = |part: &[f64]| -> f64 {
        let weights = (0..97).cycle().map(|weight| f64::from(weight + 1));
        part.iter()
            .zip(weights)
            .map(|(value, weight)| value * weight)
            .sum()
    };
    values
        .chunks(values.len().div_ceil(PARTS))
        .map(weighted)
        .collect()
}

#[test]
fn references_have_the_sums_of_what_pytorch_derived() {
    if std::env::var("HALLMARK_UPDATE").is_ok_and(|what| what == "autograd") {
        write_sums();
    }
    let text = std::fs::read(SUMS).expect("autograd.json");
    let sums: Sums = serde_json::from_slice(&text).expect("sums");
    assert_eq!(sums.cases.len(), COMPARED.len());
    for case in sums.cases {
        let workload = find(&case.workload).expect("in the catalogue");
        let inputs = inputs::generate(workload, &case.dims, &PUBLIC_SEED);
        let references = references(workload, &case.dims, &inputs);
        assert_eq!(references.len(), case.outputs.len());
        for (tensor, (reference, want)) in
            { workload.spec.outputs.iter() }.zip(references.iter().zip(case.outputs))
        {
            let (got, size) = (
                parts(reference),
                parts(&reference.iter().map(|value| value.abs()).collect::<Vec<_>>()),
            );
            assert_eq!(got.len(), want.len());
            for (part, ((got, want), size)) in got.iter().zip(want).zip(size).enumerate() {
                assert!(
                    (got - want).abs() <= ALLOWED * (1.0 + size),
                    "{} of {}, part {part}: {got}, PyTorch {} derived {want}",
                    tensor.name,
                    case.workload,
                    sums.pytorch
                );
            }
        }
    }
}

fn write_sums() {
    let python = python();
    let cases = COMPARED.map(|(id, mode, names)| {
        let workload = find(id).expect("in the catalogue");
        let dims = (workload.odd_sizes)().swap_remove(2);
        let inputs = inputs::generate(workload, &dims, &PUBLIC_SEED);
        let derived = derive(&python, mode, names, &dims, &inputs);
        let mut rest = &derived[..];
        let outputs = workload.spec.outputs.iter().map(|tensor| {
            let (output, after) = rest.split_at(elements(tensor, &dims) as usize);
            rest = after;
            parts(output)
        });
        Case {
            workload: id.to_owned(),
            outputs: outputs.collect(),
            dims,
        }
    });
    let sums = Sums {
        pytorch: pytorch(&python).expect("HALLMARK_PYTHON names a Python with PyTorch"),
        cases: cases.into(),
    };
    let text = serde_json::to_string_pretty(&sums).expect("numbers and text");
    std::fs::write(SUMS, text + "\n").expect("autograd.json is writable");
}
