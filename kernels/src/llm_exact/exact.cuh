// What llm.exact is built from, as attest::exact::llm::math defines it. Mirrors exact.glsl. Differences are sums with the
// sign of the second flipped, which is exact.

#define LANES 256

static __device__ float add(float a, float b) { return __fadd_rn(a, b); }

static __device__ float mul(float a, float b) { return __fmul_rn(a, b); }

// +0 for what is below 2^-48.
[[maybe_unused]] static __device__ float trim(float x) {
    const unsigned bits = __float_as_uint(x);
    return __uint_as_float((bits & 0x7FFFFFFFu) >= 0x27800000u ? bits : 0u);
}

[[maybe_unused]] static __device__ float negated(float x) { return __uint_as_float(__float_as_uint(x) ^ 0x80000000u); }

// e^x for x <= 0; +0 below -64.
[[maybe_unused]] static __device__ float power_of_e(float any) {
    const float x = trim(any);
    const float shifted = add(mul(x, __uint_as_float(0x3FB8AA3Bu)), 12582912.0f);
    const float n = add(shifted, -12582912.0f);
    const float rest = add(x, mul(n, __uint_as_float(0xBF318000u)));
    const float r = add(rest, mul(n, __uint_as_float(0x395E8083u)));
    float q = __uint_as_float(0x39500D01u);
    q = add(mul(q, r), __uint_as_float(0x3AB60B61u));
    q = add(mul(q, r), __uint_as_float(0x3C088889u));
    q = add(mul(q, r), __uint_as_float(0x3D2AAAABu));
    q = add(mul(q, r), __uint_as_float(0x3E2AAAABu));
    q = add(mul(q, r), 0.5f);
    const float power = add(1.0f, add(r, mul(mul(r, r), q)));
    const unsigned bits = __float_as_uint(power) + (__float_as_uint(shifted) << 23);
    return __uint_as_float(x < -64.0f ? 0u : bits);
}

// 1/d for 1 <= d <= 2^24.
[[maybe_unused]] static __device__ float reciprocal(float d) {
    float y = __uint_as_float(0x7EF311C7u - __float_as_uint(d));
    const float minus = negated(d);
#pragma unroll
    for (unsigned step = 0; step < 3; step++) y = add(y, mul(y, add(1.0f, mul(minus, y))));
    return y;
}

// 1 over the root of a, for 1e-5 <= a <= 2^24.
[[maybe_unused]] static __device__ float inverse_root(float a) {
    float y = __uint_as_float(0x5F3759DFu - (__float_as_uint(a) >> 1));
    const float minus = mul(a, -0.5f);
#pragma unroll
    for (unsigned step = 0; step < 3; step++) y = add(y, mul(y, add(0.5f, mul(mul(minus, y), y))));
    return y;
}

// g / (1 + e^-g), trimmed.
[[maybe_unused]] static __device__ float silu(float any) {
    const float g = trim(any);
    const float e = power_of_e(__uint_as_float(__float_as_uint(g) | 0x80000000u));
    const float y = reciprocal(add(1.0f, e));
    return trim(mul(g, g >= 0.0f ? y : mul(e, y)));
}

// Sum over the lanes of a block in the tree of the definition; every lane gets it.
[[maybe_unused]] static __device__ float tree_sum(float* partial, float mine) {
    const unsigned lane = threadIdx.x;
    partial[lane] = mine;
    for (unsigned half = LANES / 2; half > 0; half /= 2) {
        __syncthreads();
        if (lane < half) partial[lane] = add(partial[lane], partial[lane + half]);
    }
    __syncthreads();
    const float sum = partial[0];
    __syncthreads();  // every lane has read the sum before it is overwritten
    return sum;
}

