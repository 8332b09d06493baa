// prelude: product/f32_narrow.glsl
// C = A B^T in f32, on operands that TF32 represents exactly, for devices that are processors: all of it is in the prelude.
