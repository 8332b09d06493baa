// prelude: product/narrow.glsl
// C = A B^T in fp8 e4m3 with f32 sums and bf16 out, for devices that are processors. Mirrors gemm_fp8.comp.
uint width() {
    return 8;
}

// Every byte but NaN, which no input holds: bias 7 becomes 127; below 2^-6 an implied bit is added and taken away.
float low(uint word) {
    uint size = (word & 0x7Fu) << 20;
    float normal = uintBitsToFloat(size + 0x3C000000u);
    float subnormal = uintBitsToFloat(size + 0x3C800000u) - 0.015625;
    float magnitude = size < 8u << 20 ? subnormal : normal;
    return uintBitsToFloat(floatBitsToUint(magnitude) | (word & 0x80u) << 24);
}
