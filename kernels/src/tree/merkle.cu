// prelude: sha256/sha256.cuh
// One level of a Merkle tree: target[i] = SHA-256(prefix || row i of source), and an odd last node is copied up.
// Mirrors merkle.comp; attest::merkle is the authority.
//   source   rows of `words` words: what is committed (prefix 0), or a level's nodes in pairs (prefix 1)
//   target   rows hashes of 8 words, and after them a copy of the 8 words that follow the last pair where `odd` is 1
//   from, to where source and target begin, in hashes
//   grid     any number of blocks of any size: threads stride over the rows

extern "C" __global__ void merkle(const unsigned* source, unsigned* target, unsigned rows, unsigned words, unsigned prefix,
                                  unsigned odd, unsigned from, unsigned to) {
    source += 8ull * from;
    target += 8ull * to;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    for (unsigned long long row = first; row < rows; row += stride) {
        const unsigned* bytes = source + row * words;
        // The prefix shifts the message by a byte: each word begins with the last byte of the one before.
        unsigned carried = prefix << 24;
        unsigned state[8], w[16];
        sha256_start(state);
        // Two bytes of prefix and 1 bit, eight of length.
        const unsigned blocks = (4 * words + 10 + 63) / 64;
        for (unsigned block = 0; block < blocks; block++) {
#pragma unroll
            for (unsigned i = 0; i < 16; i++) {
                const unsigned at = 16 * block + i;
                const unsigned word = at < words ? bytes[at] : at == words ? 0x80u : 0u;
                w[i] = carried | swapped(word) >> 8;
                carried = word & 0xFF000000u;
            }
            if (block == blocks - 1) w[15] = 8 * (4 * words + 1);
            sha256_compress(state, w);
        }
#pragma unroll
        for (unsigned i = 0; i < 8; i++) target[8 * row + i] = swapped(state[i]);
    }
    if (first < 8 * odd) target[8ull * rows + first] = source[static_cast<unsigned long long>(rows) * words + first];
}
