// prelude: product/tile.glsl
// C = A B^T in bf16 with f32 sums. Mirrors gemm_bf16.cu.
//   a  m * k elements, row-major, two to a word
//   b  n * k elements, row-major
//   c  m * n elements, row-major
layout(std430, binding = 0) readonly buffer A8 { uvec4 a8[]; };
layout(std430, binding = 0) readonly buffer A1 { uint a1[]; };
layout(std430, binding = 1) readonly buffer B8 { uvec4 b8[]; };
layout(std430, binding = 1) readonly buffer B1 { uint b1[]; };

uint width() {
    return 16;
}

uvec4 eight_of_a(uint eight) {
    return a8[eight];
}

uvec4 eight_of_b(uint eight) {
    return b8[eight];
}

uint word_of_a(uint at) {
    return a1[at / 2];
}

uint word_of_b(uint at) {
    return b1[at / 2];
}

// Bits of bf16 are the upper half of f32's.
vec4 four(uvec2 words) {
    return uintBitsToFloat(uvec4(words.x << 16, words.x & 0xFFFF0000u, words.y << 16, words.y & 0xFFFF0000u));
}

vec4 first_four(uvec4 eight) {
    return four(eight.xy);
}

vec4 last_four(uvec4 eight) {
    return four(eight.zw);
}
