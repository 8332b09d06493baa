// prelude: sha256/sha256.glsl
// The walks: lane i starts at SHA-256(lane key || i in 8 bytes) and mixes in the entry at its first word, step by step.
// Mirrors proof_vram.cu; attest::exact::vram is the authority.
//   keys     16 words: the key of the entries, then that of the lanes
//   table    last + 1 entries of 32 bytes; last + 1 is a power of two
//   state    lanes * 8 words: the lanes' states, written, and read where `begin` is not 0
//   begin, end the steps of this launch
//   grid     any number of workgroups: invocations stride over the lanes
layout(local_size_x = 64) in;
layout(push_constant) uniform Sizes { uint lanes, begin, end, last; };
layout(std430, binding = 0) readonly buffer Keys { uint keys[]; };
layout(std430, binding = 1) readonly buffer Table { uvec4 table[]; };
layout(std430, binding = 2) buffer State { uvec4 state[]; };

const uint MIX = 0x9E3779B1u;

uvec4 turned(uvec4 x) {
    return x << 13 | x >> (32 - 13);
}

void start(uint lane, out uvec4 low, out uvec4 high) {
    uint s[8] = SHA256_START;
    uint w[16];
    [[unroll]] for (uint i = 0; i < 8; i++) {
        w[i] = swapped(keys[8 + i]);
    }
    w[8] = swapped(lane);
    w[9] = w[11] = w[12] = w[13] = w[14] = 0;
    w[10] = 0x80000000u;
    w[15] = 8 * 40;
    sha256_compress(s, w);
    low = uvec4(swapped(s[0]), swapped(s[1]), swapped(s[2]), swapped(s[3]));
    high = uvec4(swapped(s[4]), swapped(s[5]), swapped(s[6]), swapped(s[7]));
}

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint lane = gl_GlobalInvocationID.x; lane < lanes; lane += stride) {
        uvec4 low, high;
        if (begin == 0) {
            start(lane, low, high);
        } else {
            low = state[2 * lane];
            high = state[2 * lane + 1];
        }
        for (uint step = begin; step < end; step++) {
            uint entry = 2 * (low.x & last);
            uvec4 u = (low ^ table[entry]) * MIX;
            uvec4 v = (high ^ table[entry + 1]) * MIX;
            low = u + turned(uvec4(u.yzw, v.x));
            high = v + turned(uvec4(v.yzw, u.x));
        }
        state[2 * lane] = low;
        state[2 * lane + 1] = high;
    }
}
