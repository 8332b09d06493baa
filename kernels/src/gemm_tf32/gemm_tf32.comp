// prelude: product/f32.glsl
// C = A B^T in f32, on operands that TF32 represents exactly: all of it is in the prelude. Mirrors gemm_tf32.cu.
