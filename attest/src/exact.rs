//! Exact numerics: random streams, exact matrix products and the two proofs, bit for bit the same on every device.
//!
//! Words and numbers are little-endian, arithmetic on u32 is modulo 2^32, `||` joins bytes. Inputs are small dyadic numbers,
//! exact in their type, so no device rounds them differently ([`stream`]). Outputs are exact because each rounding is
//! fixed ([`gemm`], [`llm`]) or because there is none ([`mlp`], [`vram`]). Commitments are Merkle roots ([`crate::merkle`]).
//!
//! On a GPU: `__fmul_rn` and `__fadd_rn` in CUDA, `precise` (SPIR-V's NoContraction) in GLSL. Vulkan promises correct rounding
//! of single additions and products; a device that flushes subnormals or rounds otherwise fails its vectors.
//!
//! [`vectors`] reads files of test vectors. Those in `attest/testdata/vectors` were made by independent programs, the one of
//! [`llm`] by `ci/independent/llm_exact.py`.

pub mod gemm;
pub mod llm;
pub mod mlp;
pub mod outputs;
pub mod stream;
pub mod vectors;
pub mod vram;

/// Seed of runs without a challenge: SHA-256 of `hallmark public seed v1`.
pub const PUBLIC_SEED: [u8; 32] = [
    0xf9, 0x87, 0x72, 0x06, 0xbc, 0x42, 0xf2, 0xeb, 0x56, 0xa5, 0x12, 0x60, 0xd0, 0xe1, 0x1e, 0x71, 0xc7,
    0x19, 0x26, 0xed, 0x87, 0x15, 0xbf, 0xaf, 0x8c, 0x4a, 0x78, 0xc4, 0xe4, 0xd6, 0x99, 0x24,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    #[test]
    fn the_public_seed_is_the_digest_of_its_name() {
        assert_eq!(PUBLIC_SEED, Sha256::of(b"hallmark public seed v1").0);
    }
}
