//! The exact numerics against vectors made by an independent program.
//!
//! `HALLMARK_VECTORS` names another file of the same form, with its own seed and sizes.

use std::path::PathBuf;

use attest::digest::Sha256;
use attest::exact::stream::Form;
use attest::exact::vectors::Vectors;
use attest::exact::{gemm, mlp, outputs, stream, vram};
use attest::merkle;
use attest::spec::Dims;

fn vectors() -> Vectors {
    let path = std::env::var_os("HALLMARK_VECTORS").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/vectors/exact.json").into(),
        PathBuf::from,
    );
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Vectors::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn i8_bytes(values: &[i8]) -> Vec<u8> {
    values.iter().map(|value| value.cast_unsigned()).collect()
}

/// Value of binary16 bits, finite ones only.
fn f16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = f32::from(bits & 0x3FF);
    match bits >> 10 & 31 {
        0 => sign * fraction * 2f32.powi(-24),
        exponent => sign * (1024.0 + fraction) * 2f32.powi(i32::from(exponent) - 25),
    }
}

#[test]
fn philox_reproduces_its_vectors() {
    for vector in vectors().philox4x32_10 {
        let out = stream::philox(vector.counter, vector.key);
        assert_eq!(out.map(|word| format!("{word:08x}")), vector.out);
    }
}

#[test]
fn streams_reproduce_their_vectors() {
    let vectors = vectors();
    let seed = &vectors.seed.0;
    for tensor in &vectors.tensors {
        let name = tensor.name.as_str();
        let bytes = |form| stream::bytes(seed, name, form, tensor.elements);
        assert_eq!(stream::key(seed, name), tensor.key, "key of {name}");

        let i8s = bytes(Form::I8);
        assert_eq!(
            i8s[..tensor.i8.first.len()],
            i8_bytes(&tensor.i8.first),
            "i8 of {name}"
        );
        assert_eq!(Sha256::of(&i8s), tensor.i8.sha256, "i8 of {name}");

        let f32s = bytes(Form::F32);
        for (word, &want) in f32s.as_chunks().0.iter().zip(&tensor.f32.first) {
            assert_eq!(f32::from_le_bytes(*word), want, "f32 of {name}");
        }
        assert_eq!(Sha256::of(&f32s), tensor.f32.sha256, "f32 of {name}");

        let f16s = bytes(Form::F16);
        for (half, &want) in f16s.as_chunks().0.iter().zip(&tensor.f16.first) {
            assert_eq!(f16(u16::from_le_bytes(*half)), want, "f16 of {name}");
        }
        assert_eq!(Sha256::of(&f16s), tensor.f16.sha256, "f16 of {name}");

        let bf16s = bytes(Form::Bf16);
        for (half, &want) in bf16s.as_chunks().0.iter().zip(&tensor.bf16.first_bits) {
            assert_eq!(u16::from_le_bytes(*half), want, "bf16 of {name}");
        }
        assert_eq!(Sha256::of(&bf16s), tensor.bf16.sha256, "bf16 of {name}");
    }
}

#[test]
fn the_exact_product_reproduces_its_vectors() {
    let vectors = vectors();
    let seed = &vectors.seed.0;
    for vector in &vectors.gemm {
        let (m, n, k) = (vector.m, vector.n, vector.k);
        let a = stream::f32s(seed, gemm::STREAMS[0], m * k);
        let b = stream::f32s(seed, gemm::STREAMS[1], n * k);
        let c = gemm::gemm_f32_exact(&a, &b, m, n, k);
        let bytes: Vec<u8> = c.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(c[0], vector.c00, "C[0][0] of {m} x {n} x {k}");
        assert_eq!(Sha256::of(&bytes), vector.sha256, "{m} x {n} x {k}");
    }
}

#[test]
fn the_mlp_proof_reproduces_its_vectors() {
    let vectors = vectors();
    for vector in &vectors.mlp {
        let params = mlp::Params {
            lanes: vector.lanes,
            width: vector.width,
            layers: vector.layers,
            steps: vector.steps,
        };
        let state = mlp::Mlp::new(&vectors.seed.0, params)
            .and_then(|mlp| mlp.state())
            .unwrap_or_else(|error| panic!("{params:?}: {error}"));
        assert_eq!(state[..vector.row0_first.len()], vector.row0_first, "{params:?}");
        assert_eq!(Sha256::of(&i8_bytes(&state)), vector.state_sha256, "{params:?}");
        assert_eq!(mlp::root(&state, vector.width), vector.merkle_root, "{params:?}");
    }
}

#[test]
fn the_vram_proof_reproduces_its_vectors() {
    let vectors = vectors();
    for vector in &vectors.vram {
        let params = vram::Params {
            entries: vector.entries,
            lanes: vector.lanes,
            steps: vector.steps,
            rounds: vector.rounds,
        };
        let state = vram::Vram::new(&vectors.seed.0, params)
            .and_then(|vram| vram.state())
            .unwrap_or_else(|error| panic!("{params:?}: {error}"));
        assert_eq!(state[0], vector.lane0.0, "{params:?}");
        assert_eq!(Sha256::of(&state.concat()), vector.state_sha256, "{params:?}");
        assert_eq!(vram::root(&state), vector.merkle_root, "{params:?}");
    }
}

#[test]
fn merkle_roots_reproduce_their_vectors() {
    for vector in vectors().merkle {
        assert_eq!(vector.leaf_i, "le64(i)");
        let leaves: Vec<_> = (0..vector.leaves)
            .map(|leaf: u64| merkle::leaf_hash(&leaf.to_le_bytes()))
            .collect();
        assert_eq!(merkle::root(&leaves), vector.root, "{} leaves", vector.leaves);
    }
}

#[test]
fn a_vector_file_with_an_empty_section_is_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/vectors/exact.json");
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["merkle"] = serde_json::json!([]);
    let refusal = Vectors::parse(file.to_string().as_bytes()).unwrap_err();
    assert!(refusal.to_string().contains("a section of vectors is empty"));
}

/// Made by `ci/independent/llm_exact.py`.
#[test]
fn the_decoder_block_reproduces_its_vectors() {
    let text = include_bytes!("../../testdata/vectors/llm.exact.json");
    let vectors: serde_json::Value = serde_json::from_slice(text).expect("JSON");
    let seed = Sha256::from_hex(vectors["seed"].as_str().expect("a seed")).expect("32 bytes");
    let blocks = vectors["llm.exact"].as_array().expect("blocks");
    assert!(!blocks.is_empty());
    for vector in blocks {
        let size = |name: &str| vector[name].as_u64().expect("a size");
        let mut dims: Dims = ["tokens", "hidden", "heads", "kv", "width", "ffn"]
            .map(|name| (name.to_owned(), size(name)))
            .into();
        dims.insert("qkv".to_owned(), size("heads") + 2 * size("kv"));
        let digest = outputs::digest("llm.exact.v1", &dims, &seed.0).expect("a block");
        assert_eq!(
            Some(digest.to_string().as_str()),
            vector["sha256"].as_str(),
            "{dims:?}"
        );
    }
}
