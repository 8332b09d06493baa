//! `gemm.tf32.v1`: C = A Bᵀ on f32 words that TF32 represents exactly, summed in f32.
//!
//! Operands are the f16 streams of their names, widened: their 11 significant bits are all that TF32 keeps, so no device
//! rounds inputs. The portable path is plain f32 arithmetic. A tuned or vendor path may use the TF32 matrix units of
//! compute capability 8.0 and later, whose products are exact too but whose sums may truncate where f32 rounds, and the
//! tolerance covers both.

mod cpu;
mod launch;
mod reference;

use std::sync::LazyLock;

use attest::spec::{Cache, Class, Dims, Dtype, Size, Spec, Tolerance};

use crate::inputs::f16_widened;
use crate::specify::{case, formula, odd_matrices, tensor};
use crate::workload::{Kind, Reference, Workload};

pub(crate) static WORKLOAD: Workload = Workload {
    spec: &SPEC,
    plan: launch::plan,
    tuned: None,
    cpu: cpu::run,
    reference: Reference::Rows(reference::row),
    inputs: Some(draw),
    derived: None,
    limits: None,
    odd_sizes: odd_matrices,
    kind: Kind::Kernels,
};

static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    Spec {
    id: "gemm.tf32.v1".into(),
    title: "Matrix product with sums in f32 of operands that TF32 holds exactly: C = A * transpose(B).".into(),
    group: "matrix".into(),
    class: Class::Float,
    cache: Cache::Hot,
    cases: vec![
        case("256", Size::Small, &[("m", 256), ("n", 256), ("k", 256)]),
        case("512", Size::Standard, &[("m", 512), ("n", 512), ("k", 512)]),
        case("1024", Size::Standard, &[("m", 1024), ("n", 1024), ("k", 1024)]),
        // The gate projection of Llama 3 8B over a prompt of 512 tokens.
        case("llama3-8b-gate", Size::Large, &[("m", 512), ("n", 14_336), ("k", 4096)]),
        case("4096", Size::Large, &[("m", 4096), ("n", 4096), ("k", 4096)]),
    ],
    inputs: vec![
        tensor("gemm.tf32/a", Dtype::F32, &["m", "k"]),
        tensor("gemm.tf32/b", Dtype::F32, &["n", "k"]),
    ],
    outputs: vec![tensor("c", Dtype::F32, &["m", "n"])],
    flop: formula("2*m*n*k"),
    bytes: formula("4*m*k + 4*n*k + 4*m*n"),
    tokens: None,
    tolerance: Some(Tolerance {
        rel_ppt: 0,
        abs_ppt: formula("1907349*k"),
        derivation: "Partial sums of k products walk at random with standard deviation sqrt(i)/3. Sums rounded to f32 err \
                     by about 0.1*k*2^-24; sums that a matrix unit truncates after every product fall short by half a \
                     unit of their last place at each, 0.18*k*sqrt(k)*2^-24 in all, and by less where one truncation \
                     takes several products. Allowed is 32*k*2^-24, at k = 4096 nearly three times the latter, which \
                     operands rounded to bfloat16 exceed for every k below 40000."
            .into(),
    }),
}
});

fn draw(dims: &Dims, seed: &[u8; 32]) -> Vec<Vec<u8>> {
    let inputs = SPEC.inputs.iter();
    inputs.map(|tensor| f16_widened(tensor, dims, seed)).collect()
}
