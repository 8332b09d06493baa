//! Vectors made by an independent program. `HALLMARK_VECTORS` names another file of the same form.

use std::path::PathBuf;

use attest::digest::Sha256;
use attest::exact::stream::{self, Form};
use attest::spec::Dims;
use attest::statement::PathClass;
use kernels::device::Device;
use kernels::tree::{self, HASH};
use kernels::workload::Workload;
use kernels::{catalogue, inputs};
use serde_json::Value;

use crate::harness::{devices, dims};
use crate::shim::Shim;

fn vectors() -> Value {
    let committed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../attest/testdata/vectors/exact.json"
    );
    let path = std::env::var_os("HALLMARK_VECTORS").map_or(PathBuf::from(committed), PathBuf::from);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Vectors of decoder blocks, made by `ci/independent/llm_exact.py`.
const LLM: &str = include_str!("../../../attest/testdata/vectors/llm.exact.json");

fn section<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let list = vectors[name].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!list.is_empty(), "the file has no section {name:?}");
    list
}

fn seed(vectors: &Value) -> [u8; 32] {
    let text = vectors["seed"].as_str().expect("a seed");
    Sha256::from_hex(text).expect("64 hexadecimal digits").0
}

fn size(vector: &Value, name: &str) -> u64 {
    vector[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{vector} has no {name:?}"))
}

fn network([m, n, layers, steps]: [u64; 4]) -> Dims {
    dims(&[
        ("m", m),
        ("n", n),
        ("layers", layers),
        ("steps", steps),
        ("nodes", tree::nodes(m)),
        ("key", 8),
        ("hash", HASH as u64),
    ])
}

fn walks([entries, m, steps, rounds]: [u64; 4]) -> Dims {
    dims(&[
        ("entries", entries),
        ("m", m),
        ("steps", steps),
        ("rounds", rounds),
        ("keys", 2),
        ("nodes", tree::nodes(m)),
        ("hash", HASH as u64),
    ])
}

#[test]
fn every_device_reproduces_the_vectors_of_gemm_f32_exact() {
    let vectors = vectors();
    let workload = catalogue::find("gemm.f32.exact.v1").expect("in the catalogue");
    for device in devices() {
        for vector in section(&vectors, "gemm.f32.exact") {
            let dims = dims(&["m", "n", "k"].map(|name| (name, size(vector, name))));
            let inputs = inputs::generate(workload, &dims, &seed(&vectors));
            let mut loaded = device
                .load(workload, PathClass::Portable, &dims, &inputs, 1)
                .expect("a small case");
            loaded.poison().expect("poisoned");
            loaded.run(1).expect("a launch");
            let output = loaded.read(0).expect("an output").remove(0);
            let place = format!("{} {dims:?}", device.facts().id);
            let first = f32::from_le_bytes(output[..4].try_into().expect("four bytes"));
            // serde_json may be off by the last bit of binary64, which rounding to binary32 takes away.
            let want = vector["c00"].as_f64().map(|value| value as f32);
            assert_eq!(Some(first), want, "{place}");
            assert_eq!(
                Some(Sha256::of(&output).to_string().as_str()),
                vector["sha256"].as_str(),
                "{place}"
            );
        }
    }
}

#[test]
fn every_device_reproduces_the_vectors_of_decoder_blocks() {
    let vectors: Value = serde_json::from_str(LLM).expect("JSON");
    let workload = catalogue::find("llm.exact.v1").expect("in the catalogue");
    for device in devices() {
        for vector in section(&vectors, "llm.exact") {
            let sizes =
                ["tokens", "hidden", "heads", "kv", "width", "ffn"].map(|name| (name, size(vector, name)));
            let qkv = size(vector, "heads") + 2 * size(vector, "kv");
            let dims = dims(&[&sizes[..], &[("qkv", qkv)]].concat());
            let inputs = inputs::generate(workload, &dims, &seed(&vectors));
            let mut loaded = device
                .load(workload, PathClass::Portable, &dims, &inputs, 1)
                .expect("a small case");
            loaded.poison().expect("poisoned");
            loaded.run(1).expect("a launch");
            let output = loaded.read(0).expect("an output").remove(0);
            let place = format!("{} {dims:?}", device.facts().id);
            let (words, _) = output.as_chunks();
            for (word, want) in words.iter().zip(vector["first"].as_array().expect("words")) {
                let word = format!("{:08x}", u32::from_le_bytes(*word));
                assert_eq!(Some(word.as_str()), want.as_str(), "{place}");
            }
            let digest = Sha256::of(&output).to_string();
            assert_eq!(Some(digest.as_str()), vector["sha256"].as_str(), "{place}");
        }
    }
}

/// Kernels for GPUs of every kind, the CUDA sources for those with matrix units among them.
#[test]
fn every_device_reproduces_the_vectors_of_proof_mlp_i8() {
    let workload = catalogue::find("proof.mlp.i8.v1").expect("in the catalogue");
    let mut devices = devices();
    devices.push(Box::new(Shim::new(90)));
    for device in devices {
        expect_vectors_of_proof_mlp_i8(device.as_ref(), workload);
    }
}

pub(crate) fn expect_vectors_of_proof_mlp_i8(device: &dyn Device, workload: &Workload) {
    let vectors = vectors();
    for vector in section(&vectors, "proof.mlp.i8") {
        let dims = network(["lanes", "width", "layers", "steps"].map(|name| size(vector, name)));
        let inputs = inputs::generate(workload, &dims, &seed(&vectors));
        let mut loaded = device
            .load(workload, PathClass::Portable, &dims, &inputs, 1)
            .expect("a small case");
        loaded.poison().expect("poisoned");
        loaded.run(1).expect("a launch");
        let outputs = loaded.read(0).expect("outputs");
        let place = format!("{} {dims:?}", device.facts().id);
        let first = vector["row0_first"].as_array().expect("elements").iter();
        let first: Vec<u8> = first.map(|value| value.as_i64().expect("an i8") as u8).collect();
        assert_eq!(outputs[0][..first.len()], first, "{place}");
        assert_eq!(
            Some(Sha256::of(&outputs[0]).to_string().as_str()),
            vector["state_sha256"].as_str(),
            "{place}"
        );
        let root = &outputs[1][outputs[1].len() - HASH..];
        assert_eq!(
            Some(hex::encode(root).as_str()),
            vector["merkle_root"].as_str(),
            "{place}"
        );
    }
}

#[test]
fn every_device_reproduces_the_vectors_of_proof_vram() {
    let vectors = vectors();
    let workload = catalogue::find("proof.vram.v1").expect("in the catalogue");
    for device in devices() {
        for vector in section(&vectors, "proof.vram") {
            let sizes = ["entries", "lanes", "steps", "rounds"].map(|name| size(vector, name));
            let dims = walks(sizes);
            let inputs = inputs::generate(workload, &dims, &seed(&vectors));
            let mut loaded = device
                .load(workload, PathClass::Portable, &dims, &inputs, 1)
                .expect("a small case");
            loaded.poison().expect("poisoned");
            loaded.run(1).expect("a launch");
            let outputs = loaded.read(0).expect("outputs");
            let place = format!("{} {dims:?}", device.facts().id);
            assert_eq!(
                Some(hex::encode(&outputs[0][..32]).as_str()),
                vector["lane0"].as_str(),
                "{place}"
            );
            let digest = Sha256::of(&outputs[0]).to_string();
            assert_eq!(Some(digest.as_str()), vector["state_sha256"].as_str(), "{place}");
            let root = tree::root(sizes[1]).expect("a root") as usize;
            let root = hex::encode(&outputs[1][root..]);
            assert_eq!(Some(root.as_str()), vector["merkle_root"].as_str(), "{place}");
        }
    }
}

#[test]
fn input_streams_reproduce_the_vectors() {
    let vectors = vectors();
    for vector in section(&vectors, "tensors") {
        let name = vector["name"].as_str().expect("a name");
        for (key, form) in [
            ("i8", Form::I8),
            ("f32", Form::F32),
            ("f16", Form::F16),
            ("bf16", Form::Bf16),
        ] {
            let bytes = stream::bytes(&seed(&vectors), name, form, size(vector, "elements") as usize);
            assert_eq!(
                Some(Sha256::of(&bytes).to_string().as_str()),
                vector[key]["sha256"].as_str(),
                "{name} as {key}"
            );
        }
    }
}
