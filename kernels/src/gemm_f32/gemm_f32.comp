// prelude: product/f32.glsl
// C = A B^T in f32: all of it is in the prelude. Mirrors gemm_f32.cu.
