//! The shape of a file of test vectors for the exact numerics, made by an independent program.

use serde::Deserialize;

use crate::digest::Sha256;
use crate::json::{self, JsonError};

/// Bytes of the largest vector file that is read.
const MAX_VECTOR_BYTES: usize = 8 << 20;

#[derive(Debug, Deserialize)]
pub struct Vectors {
    /// 32 bytes in hexadecimal.
    pub seed: Sha256,
    pub philox4x32_10: Vec<Philox>,
    pub tensors: Vec<Tensor>,
    #[serde(rename = "proof.mlp.i8")]
    pub mlp: Vec<Mlp>,
    #[serde(rename = "proof.vram")]
    pub vram: Vec<Vram>,
    #[serde(rename = "gemm.f32.exact")]
    pub gemm: Vec<Gemm>,
    pub merkle: Vec<Merkle>,
}

#[derive(Debug, Deserialize)]
pub struct Philox {
    pub counter: [u32; 4],
    pub key: [u32; 2],
    /// Words in hexadecimal.
    pub out: [String; 4],
}

#[derive(Debug, Deserialize)]
pub struct Tensor {
    pub name: String,
    pub elements: usize,
    pub key: [u32; 2],
    pub i8: Elements<i8>,
    pub f32: Elements<f32>,
    pub f16: Elements<f32>,
    pub bf16: BfloatElements,
}

/// The first elements by value and the digest of all bytes. Values are binary32: read as binary64 they could be off by
/// the last bit, which rounding to the type they have takes away.
#[derive(Debug, Deserialize)]
pub struct Elements<T> {
    pub first: Vec<T>,
    pub sha256: Sha256,
}

#[derive(Debug, Deserialize)]
pub struct BfloatElements {
    pub first_bits: Vec<u16>,
    pub sha256: Sha256,
}

#[derive(Debug, Deserialize)]
pub struct Mlp {
    pub lanes: u64,
    pub width: usize,
    pub layers: usize,
    pub steps: u64,
    pub row0_first: Vec<i8>,
    pub state_sha256: Sha256,
    pub merkle_root: Sha256,
}

#[derive(Debug, Deserialize)]
pub struct Vram {
    pub entries: u64,
    pub lanes: u64,
    pub steps: u64,
    pub rounds: u32,
    pub lane0: Sha256,
    pub state_sha256: Sha256,
    pub merkle_root: Sha256,
}

#[derive(Debug, Deserialize)]
pub struct Gemm {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub c00: f32,
    pub sha256: Sha256,
}

#[derive(Debug, Deserialize)]
pub struct Merkle {
    pub leaves: u64,
    /// What leaf i holds: `le64(i)`.
    pub leaf_i: String,
    pub root: Sha256,
}

impl Vectors {
    /// Reads a file of vectors; a section that is missing or empty would check nothing and is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let vectors: Self = json::from_slice(bytes, MAX_VECTOR_BYTES)?;
        let empty = [
            vectors.philox4x32_10.is_empty(),
            vectors.tensors.is_empty(),
            vectors.mlp.is_empty(),
            vectors.vram.is_empty(),
            vectors.gemm.is_empty(),
            vectors.merkle.is_empty(),
        ];
        if empty.contains(&true) {
            return Err(JsonError::Shape {
                reason: "a section of vectors is empty".into(),
            });
        }
        Ok(vectors)
    }
}
