// prelude: sha256/sha256.glsl
// One level of a Merkle tree: target[i] = SHA-256(prefix || row i of source), and an odd last node is copied up.
// Mirrors merkle.cu; attest::merkle is the authority.
//   source   rows of `words` words: what is committed (prefix 0), or a level's nodes in pairs (prefix 1)
//   target   rows hashes of 8 words, and after them a copy of the 8 words that follow the last pair where `odd` is 1
//   from, to where source and target begin, in hashes
//   grid     any number of workgroups: invocations stride over the rows
layout(local_size_x = 64) in;
layout(push_constant) uniform Sizes { uint rows, words, prefix, odd, from, to; };
layout(std430, binding = 0) readonly buffer Source { uint source[]; };
layout(std430, binding = 1) writeonly buffer Target { uint target[]; };

void main() {
    uint first = gl_GlobalInvocationID.x;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint row = first; row < rows; row += stride) {
        uint bytes = 8 * from + row * words;
        // The prefix shifts the message by a byte: each word begins with the last byte of the one before.
        uint carried = prefix << 24;
        uint state[8] = SHA256_START;
        uint w[16];
        // Two bytes of prefix and 1 bit, eight of length.
        uint blocks = (4 * words + 10 + 63) / 64;
        for (uint block = 0; block < blocks; block++) {
            [[unroll]] for (uint i = 0; i < 16; i++) {
                uint at = 16 * block + i;
                uint word = at < words ? source[bytes + at] : at == words ? 0x80u : 0u;
                w[i] = carried | swapped(word) >> 8;
                carried = word & 0xFF000000u;
            }
            if (block == blocks - 1) {
                w[15] = 8 * (4 * words + 1);
            }
            sha256_compress(state, w);
        }
        [[unroll]] for (uint i = 0; i < 8; i++) {
            target[8 * (to + row) + i] = swapped(state[i]);
        }
    }
    if (first < 8 * odd) {
        target[8 * (to + rows) + first] = source[8 * from + rows * words + first];
    }
}
