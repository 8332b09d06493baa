#version 450
// What llm.exact is built from, as attest::exact::llm::math defines it. Mirrors exact.cuh. `precise` forbids contraction
// and any other order; differences are sums with the sign of the second flipped, which is exact.

const uint LANES = 256;

// +0 for what is below 2^-48.
float trim(float x) {
    uint bits = floatBitsToUint(x);
    return uintBitsToFloat((bits & 0x7FFFFFFFu) >= 0x27800000u ? bits : 0u);
}

float negated(float x) {
    return uintBitsToFloat(floatBitsToUint(x) ^ 0x80000000u);
}

// e^x for x <= 0; +0 below -64.
float power_of_e(float any) {
    float x = trim(any);
    precise float scaled = x * uintBitsToFloat(0x3FB8AA3Bu);
    precise float shifted = scaled + 12582912.0;
    precise float n = shifted + -12582912.0;
    precise float high = n * uintBitsToFloat(0xBF318000u);
    precise float low = n * uintBitsToFloat(0x395E8083u);
    precise float rest = x + high;
    precise float r = rest + low;
    precise float q = uintBitsToFloat(0x39500D01u) * r;
    q = q + uintBitsToFloat(0x3AB60B61u);
    q = q * r;
    q = q + uintBitsToFloat(0x3C088889u);
    q = q * r;
    q = q + uintBitsToFloat(0x3D2AAAABu);
    q = q * r;
    q = q + uintBitsToFloat(0x3E2AAAABu);
    q = q * r;
    q = q + 0.5;
    precise float square = r * r;
    precise float tail = square * q;
    precise float more = r + tail;
    precise float power = 1.0 + more;
    uint bits = floatBitsToUint(power) + (floatBitsToUint(shifted) << 23);
    return uintBitsToFloat(x < -64.0 ? 0u : bits);
}

#define NEWTON(CORRECTION) { precise float product = CORRECTION; precise float error = NEWTON_OF + product; \
    precise float change = y * error; y = y + change; }

// 1/d for 1 <= d <= 2^24.
float reciprocal(float d) {
    precise float y = uintBitsToFloat(0x7EF311C7u - floatBitsToUint(d));
    float minus = negated(d);
#define NEWTON_OF 1.0
    NEWTON(minus * y)
    NEWTON(minus * y)
    NEWTON(minus * y)
#undef NEWTON_OF
    return y;
}

// 1 over the root of a, for 1e-5 <= a <= 2^24.
float inverse_root(float a) {
    precise float y = uintBitsToFloat(0x5F3759DFu - (floatBitsToUint(a) >> 1));
    precise float minus = a * -0.5;
#define NEWTON_OF 0.5
#define NEWTON_ROOT { precise float once = minus * y; NEWTON(once * y) }
    NEWTON_ROOT
    NEWTON_ROOT
    NEWTON_ROOT
#undef NEWTON_OF
    return y;
}

// g / (1 + e^-g), trimmed.
float silu(float any) {
    float g = trim(any);
    float e = power_of_e(uintBitsToFloat(floatBitsToUint(g) | 0x80000000u));
    precise float d = 1.0 + e;
    float y = reciprocal(d);
    precise float below = e * y;
    precise float result = g * (g >= 0.0 ? y : below);
    return trim(result);
}

shared float partial[LANES];

// Sum over the lanes of a workgroup in the tree of the definition; every lane gets it.
float tree_sum(uint lane, float mine) {
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            precise float both = partial[lane] + partial[lane + half_width];
            partial[lane] = both;
        }
        barrier();
    }
    float result = partial[0];
    barrier();  // every lane has read the sum before it is overwritten
    return result;
}
