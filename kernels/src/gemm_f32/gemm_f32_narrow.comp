// prelude: product/f32_narrow.glsl
// C = A B^T in f32, for devices that are processors: all of it is in the prelude.
