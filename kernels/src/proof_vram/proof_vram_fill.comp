// prelude: sha256/sha256.glsl
// The table: entry j is SHA-256 applied `rounds` times, first to the key and j in 8 bytes, then to the 32 bytes before.
// Mirrors proof_vram_fill.cu; attest::exact::vram is the authority.
//   keys     8 words, the key of the entries; what follows is not read
//   table    last + 1 entries of 32 bytes; no buffer holds as many as 2^28
//   rounds   > 0
//   grid     any number of workgroups: invocations stride over the entries
layout(local_size_x = 64) in;
layout(push_constant) uniform Sizes { uint last, rounds; };
layout(std430, binding = 0) readonly buffer Keys { uint keys[]; };
layout(std430, binding = 1) writeonly buffer Table { uvec4 table[]; };

void main() {
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint entry = gl_GlobalInvocationID.x; entry <= last; entry += stride) {
        uint w[16];
        [[unroll]] for (uint i = 0; i < 8; i++) {
            w[i] = swapped(keys[i]);
        }
        w[8] = swapped(entry);
        w[9] = 0;
        w[10] = 0x80000000u;
        w[11] = w[12] = w[13] = w[14] = 0;
        w[15] = 8 * 40;
        for (uint round = 0; round < rounds; round++) {
            uint state[8] = SHA256_START;
            sha256_compress(state, w);
            [[unroll]] for (uint i = 0; i < 8; i++) {
                w[i] = state[i];
            }
            w[8] = 0x80000000u;
            w[9] = w[10] = w[11] = w[12] = w[13] = w[14] = 0;
            w[15] = 8 * 32;
        }
        table[2 * entry] = uvec4(swapped(w[0]), swapped(w[1]), swapped(w[2]), swapped(w[3]));
        table[2 * entry + 1] = uvec4(swapped(w[4]), swapped(w[5]), swapped(w[6]), swapped(w[7]));
    }
}
