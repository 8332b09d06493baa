// prelude: sha256/sha256.cuh
// The table: entry j is SHA-256 applied `rounds` times, first to the key and j in 8 bytes, then to the 32 bytes before.
// Mirrors proof_vram_fill.comp; attest::exact::vram is the authority.
//   keys     8 words, the key of the entries; what follows is not read
//   table    last + 1 entries of 32 bytes, on 16 bytes
//   rounds   > 0
//   grid     any number of blocks of any size: threads stride over the entries

extern "C" __global__ void proof_vram_fill(const unsigned* __restrict__ keys, uint4* __restrict__ table, unsigned last,
                                           unsigned rounds) {
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (unsigned long long entry = first; entry <= last; entry += stride) {
        unsigned state[8], w[16];
#pragma unroll
        for (unsigned i = 0; i < 8; i++) w[i] = swapped(keys[i]);
        w[8] = swapped(static_cast<unsigned>(entry));
        w[9] = swapped(static_cast<unsigned>(entry >> 32));
        w[10] = 0x80000000u;
        w[11] = w[12] = w[13] = w[14] = 0;
        w[15] = 8 * 40;
        for (unsigned round = 0; round < rounds; round++) {
            sha256_start(state);
            sha256_compress(state, w);
#pragma unroll
            for (unsigned i = 0; i < 8; i++) w[i] = state[i];
            w[8] = 0x80000000u;
            w[9] = w[10] = w[11] = w[12] = w[13] = w[14] = 0;
            w[15] = 8 * 32;
        }
        table[2 * entry] = make_uint4(swapped(w[0]), swapped(w[1]), swapped(w[2]), swapped(w[3]));
        table[2 * entry + 1] = make_uint4(swapped(w[4]), swapped(w[5]), swapped(w[6]), swapped(w[7]));
    }
}
