// prelude: product/tile.glsl
// C = A B^T in fp8 e4m3 with f32 sums and bf16 out. Mirrors gemm_fp8.cu.
//   a  m * k elements, row-major, four to a word
//   b  n * k elements, row-major
//   c  m * n elements of bf16, row-major
layout(std430, binding = 0) readonly buffer A8 { uvec2 a8[]; };
layout(std430, binding = 0) readonly buffer A1 { uint a1[]; };
layout(std430, binding = 1) readonly buffer B8 { uvec2 b8[]; };
layout(std430, binding = 1) readonly buffer B1 { uint b1[]; };

uint width() {
    return 8;
}

uvec4 eight_of_a(uint eight) {
    return uvec4(a8[eight], 0, 0);
}

uvec4 eight_of_b(uint eight) {
    return uvec4(b8[eight], 0, 0);
}

uint word_of_a(uint at) {
    return a1[at / 4];
}

uint word_of_b(uint at) {
    return b1[at / 4];
}

// Every byte but NaN, 0x7F and 0xFF, which no input holds: bias 7 becomes 127; below 2^-6 an implied bit is added and taken
// away.
vec4 four(uint word) {
    uvec4 bits = (uvec4(word) >> uvec4(0, 8, 16, 24)) & 0xFFu;
    uvec4 size = (bits & 0x7Fu) << 20;
    vec4 normal = uintBitsToFloat(size + 0x3C000000u);
    vec4 subnormal = uintBitsToFloat(size + 0x3C800000u) - 0.015625;
    vec4 magnitude = mix(normal, subnormal, lessThan(size, uvec4(8u << 20)));
    return uintBitsToFloat(floatBitsToUint(magnitude) | (bits & 0x80u) << 24);
}

vec4 first_four(uvec4 eight) {
    return four(eight.x);
}

vec4 last_four(uvec4 eight) {
    return four(eight.y);
}
