#version 450
#extension GL_EXT_control_flow_attributes : require
// Halves in device code, widened to f32 and narrowed by rules of their own. Mirrors half.cuh. A word holds two, the first
// in its low bits; unpackHalf2x16 widens both.

// Bits of the nearest half, ties to even: the conversion instruction may round otherwise.
uint narrow(float value) {
    uint bits = floatBitsToUint(value);
    uint sign = (bits >> 16) & 0x8000u;
    uint size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u) {
        return sign | 0x7E00u;
    }
    if (size >= 0x477FF000u) {
        return sign | 0x7C00u;
    }
    if (size >= 0x38800000u) {
        return sign | ((size + 0xFFFu + ((size >> 13) & 1u) - 0x38000000u) >> 13);
    }
    if (size < 0x33000000u) {
        return sign;
    }
    uint shift = 126u - (size >> 23);
    uint mantissa = (size & 0x7FFFFFu) | 0x800000u;
    uint kept = mantissa >> shift;
    uint rest = mantissa & ((1u << shift) - 1u);
    uint tie = 1u << (shift - 1u);
    uint up = uint(rest > tie || (rest == tie && (kept & 1u) == 1u));
    return sign | (kept + up);
}

uint narrow2(vec2 pair) {
    return narrow(pair.x) | narrow(pair.y) << 16;
}

// The half at `index` of a buffer, from its word.
float half_at(uint word, uint index) {
    vec2 pair = unpackHalf2x16(word);
    return (index & 1u) == 0u ? pair.x : pair.y;
}

// Writes the half at `index` of a buffer of words, whose other half another invocation may write.
#define STORE_HALF(words, index, bits) { \
    uint half_shift = 16u * ((index) % 2u); \
    atomicAnd(words[(index) / 2u], ~(0xFFFFu << half_shift)); \
    atomicOr(words[(index) / 2u], (bits) << half_shift); \
}

