// prelude: product/narrow.glsl
// C = A B^T in bf16 with f32 sums, for devices that are processors. Mirrors gemm_bf16.comp.
uint width() {
    return 16;
}

// Bits of bf16 are the upper half of f32's.
float low(uint word) {
    return uintBitsToFloat(word << 16);
}
