// Row t of y is row ids[t] of the table. Mirrors embedding_gather_f16.comp; reference.rs is the authority.
//   table  rows of cols halves, aligned to 2 bytes, as y; 16-byte vectors where both are aligned and 8 divides cols
//   ids    tokens words
//   y      tokens * cols halves
//   grid   any number of blocks of any size: threads stride over the vectors

extern "C" __global__ void embedding_gather_f16(const unsigned short* __restrict__ table,
                                                const unsigned* __restrict__ ids, unsigned short* __restrict__ y,
                                                unsigned tokens, unsigned cols) {
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(table) | reinterpret_cast<unsigned long long>(y);
    if (cols % 8 == 0 && (bits & 15) == 0) {
        const uint4* __restrict__ from = reinterpret_cast<const uint4*>(table);
        uint4* __restrict__ to = reinterpret_cast<uint4*>(y);
        const unsigned row = cols / 8;
#pragma unroll 4
        for (unsigned long long i = first; i < static_cast<unsigned long long>(tokens) * row; i += stride) {
            // Vectors of all tokens are fewer than 2^32, as their 16 bytes each lie in memory: 32-bit division.
            const unsigned token = static_cast<unsigned>(i) / row, col = static_cast<unsigned>(i) % row;
            to[i] = from[static_cast<unsigned long long>(ids[token]) * row + col];
        }
        return;
    }
    for (unsigned long long i = first; i < static_cast<unsigned long long>(tokens) * cols; i += stride) {
        y[i] = table[static_cast<unsigned long long>(ids[i / cols]) * cols + i % cols];
    }
}
