//! Hallmark's workloads, one folder each, and the devices that run them.
//!
//! A workload is a folder of this crate: `mod.rs` (the specification), `reference.rs` (the authority, in f64),
//! `cpu.rs`, `launch.rs`, the `.cu` and `.comp` sources and their compiled `.ptx` and `.spv`. It is known to the rest
//! of the program by its `mod` line below and its line in [`catalogue`].

pub mod catalogue;
pub mod check;
pub mod device;
pub mod generate;
pub mod inputs;
pub mod program;
pub mod quantize;
pub mod tree;
pub mod workload;

mod aligned;
mod elements;
mod exp;
mod forward;
mod fp8;
mod halves;
mod llama;
mod matmul;
mod modulate;
mod narrow;
mod product;
mod q4;
mod residual;
mod specify;
mod stages;
mod stream;
mod transfer;
mod wide;

mod adamw_f32;
mod attention_decode_f16;
mod attention_prefill_f16;
mod conv2d_f16;
mod crossentropy_f16;
mod diffusion_step;
mod embedding_gather_f16;
mod gelu_f16;
mod gemm_batched_f16;
mod gemm_bf16;
mod gemm_f16;
mod gemm_f32;
mod gemm_f32_exact;
mod gemm_fp8;
mod gemm_i8;
mod gemm_q4;
mod gemm_tf32;
mod gemv_f16;
mod gemv_q4;
mod groupnorm_f16;
mod launch_latency;
mod layernorm_f16;
mod llm_decode;
mod llm_exact;
mod llm_prefill;
mod mem_copy;
mod mem_download;
mod mem_gather;
mod mem_triad;
mod mem_upload;
mod proof_mlp_i8;
mod proof_vram;
mod rmsnorm_f16;
mod rope_f16;
mod sampling_topk;
mod softmax_f32;
mod swiglu_f16;
mod train_block_f32;
mod train_step;
