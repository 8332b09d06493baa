// prelude: sha256/sha256.cuh
// The walks: lane i starts at SHA-256(lane key || i in 8 bytes) and mixes in the entry at its first word, step by step.
// Mirrors proof_vram.comp; attest::exact::vram is the authority.
//   keys     16 words: the key of the entries, then that of the lanes
//   table    last + 1 entries of 32 bytes, on 16 bytes; last + 1 is a power of two
//   state    lanes * 8 words, on 16 bytes: the lanes' states, written, and read where `begin` is not 0
//   begin, end the steps of this launch
//   grid     any number of blocks of any size: threads stride over the lanes

__device__ static inline void start(const unsigned* key, unsigned long long lane, unsigned (&s)[8]) {
    unsigned w[16];
#pragma unroll
    for (unsigned i = 0; i < 8; i++) w[i] = swapped(key[i]);
    w[8] = swapped(static_cast<unsigned>(lane));
    w[9] = w[11] = w[12] = w[13] = w[14] = 0;
    w[10] = 0x80000000u;
    w[15] = 8 * 40;
    sha256_start(s);
    sha256_compress(s, w);
#pragma unroll
    for (unsigned i = 0; i < 8; i++) s[i] = swapped(s[i]);
}

extern "C" __global__ void proof_vram(const unsigned* __restrict__ keys, const uint4* __restrict__ table,
                                      uint4* __restrict__ state, unsigned lanes, unsigned begin, unsigned end,
                                      unsigned last) {
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (unsigned long long lane = first; lane < lanes; lane += stride) {
        unsigned s[8];
        if (begin == 0) {
            start(keys + 8, lane, s);
        } else {
            const uint4 low = state[2 * lane], high = state[2 * lane + 1];
            s[0] = low.x, s[1] = low.y, s[2] = low.z, s[3] = low.w;
            s[4] = high.x, s[5] = high.y, s[6] = high.z, s[7] = high.w;
        }
        for (unsigned step = begin; step < end; step++) {
            // Both halves lie in one 32-byte sector.
            const uint4* entry = table + 2ull * (s[0] & last);
            const uint4 low = entry[0], high = entry[1];
            const unsigned e[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
            unsigned u[8];
#pragma unroll
            for (unsigned i = 0; i < 8; i++) u[i] = (s[i] ^ e[i]) * 0x9E3779B1u;
#pragma unroll
            for (unsigned i = 0; i < 8; i++) s[i] = u[i] + rotated(u[(i + 1) & 7], 32 - 13);
        }
        state[2 * lane] = make_uint4(s[0], s[1], s[2], s[3]);
        state[2 * lane + 1] = make_uint4(s[4], s[5], s[6], s[7]);
    }
}
