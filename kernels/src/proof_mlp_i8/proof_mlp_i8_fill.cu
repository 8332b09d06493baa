// Random streams of i8, Philox4x32-10 (Salmon et al., SC'11), as matrices with padding. Mirrors proof_mlp_i8_fill.comp.
//   keys     two words for each matrix
//   out      matrices one after the other, padded_rows * padded_words words each; word (r, c) holds elements 4 c .. 4 c + 3
//            of row r and lies at c * padded_rows + r where by_word is set, at r * padded_words + c otherwise
//   rows     rows of the stream's matrix, `words` words each, a multiple of 4 as padded_words is; what is beyond is zero
//   grid     any number of blocks of 256 threads, by the number of matrices

struct Block {
    unsigned word[4];
};

static __device__ Block philox(unsigned long long counter, unsigned k0, unsigned k1) {
    unsigned c0 = static_cast<unsigned>(counter), c1 = static_cast<unsigned>(counter >> 32), c2 = 0, c3 = 0;
#pragma unroll
    for (unsigned round = 0; round < 10; round++) {
        const unsigned long long first = static_cast<unsigned long long>(c0) * 0xD2511F53u;
        const unsigned long long second = static_cast<unsigned long long>(c2) * 0xCD9E8D57u;
        c0 = static_cast<unsigned>(second >> 32) ^ c1 ^ k0;
        c1 = static_cast<unsigned>(second);
        c2 = static_cast<unsigned>(first >> 32) ^ c3 ^ k1;
        c3 = static_cast<unsigned>(first);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

extern "C" __global__ void __launch_bounds__(256)
    proof_mlp_i8_fill(const unsigned* __restrict__ keys, unsigned* __restrict__ out, unsigned rows, unsigned words,
                      unsigned padded_rows, unsigned padded_words, unsigned by_word) {
    const unsigned k0 = keys[2 * blockIdx.y], k1 = keys[2 * blockIdx.y + 1];
    const unsigned quads = padded_words / 4;
    const unsigned long long all = static_cast<unsigned long long>(padded_rows) * quads;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * 256;
    out += 4 * all * blockIdx.y;
    for (unsigned long long item = static_cast<unsigned long long>(blockIdx.x) * 256 + threadIdx.x; item < all;
         item += stride) {
        // Neighbouring threads write neighbouring words in either layout.
        const unsigned row = static_cast<unsigned>(by_word ? item % padded_rows : item / quads);
        const unsigned quad = static_cast<unsigned>(by_word ? item / padded_rows : item % quads);
        Block block = {};
        if (row < rows && quad < words / 4) {
            block = philox(static_cast<unsigned long long>(row) * (words / 4) + quad, k0, k1);
        }
        unsigned* const to = out + (by_word ? 4ull * quad * padded_rows + row : 4 * item);
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            to[by_word ? static_cast<unsigned long long>(i) * padded_rows : i] = block.word[i];
        }
    }
}
