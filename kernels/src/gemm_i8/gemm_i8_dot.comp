// prelude: dot4/dot4.glsl
// C = A B^T of i8 with i32 sums, as gemm_i8.comp, for devices with a packed dot product: one 128 x 128 tile of C per
// workgroup, 8 x 8 elements per invocation, 32 steps of k at a time. Tiles and sums are those of gemm_i8.cu.
//   a      m * k bytes, row-major, four to a word
//   b      n * k bytes, row-major
//   c      m * n words, row-major
//   m n k  any sizes; what lies outside counts as zero
//   grid   (n / 128, m / 128) workgroups, rounded up, of 256 invocations, 8.25 KiB of shared memory
// Integer sums are exact in any order.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 0) readonly buffer A { uint a_words[]; };
layout(std430, binding = 1) readonly buffer B { uint b_words[]; };
layout(std430, binding = 2) writeonly buffer C { int c[]; };

const uint TILE = 128;
const uint WORDS = 8;
// Four words of padding to a row: words of neighbouring k, stored at once, fall into different banks.
const uint PITCH = TILE / 4 + 1;

// Word (p, row): four neighbours along k, four neighbouring rows to a vector.
shared uvec4 a_tile[WORDS * PITCH];
shared uvec4 b_tile[WORDS * PITCH];

uint byte_of(uint word, uint at) {
    return (word >> (8 * (at % 4))) & 0xFFu;
}

uint load_a(uint row, uint at) {
    if (row >= m || at >= k) {
        return 0;
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        return a_words[first / 4];
    }
    uint word = 0;
    for (uint i = 0; i < min(k - at, 4); ++i) {
        word |= byte_of(a_words[(first + i) / 4], first + i) << (8 * i);
    }
    return word;
}

uint load_b(uint row, uint at) {
    if (row >= n || at >= k) {
        return 0;
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        return b_words[first / 4];
    }
    uint word = 0;
    for (uint i = 0; i < min(k - at, 4); ++i) {
        word |= byte_of(b_words[(first + i) / 4], first + i) << (8 * i);
    }
    return word;
}

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    // An invocation loads four words of one row of each matrix.
    uint load_row = gl_LocalInvocationIndex / 2;
    uint load_word = gl_LocalInvocationIndex % 2 * 4;
    // It has rows 4 y .. + 3 and columns 4 x .. + 3 of both halves of the tile.
    uint part = gl_LocalInvocationIndex / 32, lane = gl_LocalInvocationIndex % 32;
    uint y = part / 2 * 4 + lane / 8, x = part % 2 * 8 + lane % 8;

    int sum[8][8];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            sum[i][j] = 0;
        }
    }
    uvec4 next_a, next_b;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        next_a[i] = load_a(row0 + load_row, 4 * (load_word + i));
        next_b[i] = load_b(col0 + load_row, 4 * (load_word + i));
    }
    for (uint k0 = 0; k0 < k; k0 += 4 * WORDS) {
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            a_tile[(load_word + i) * PITCH + load_row / 4][load_row % 4] = next_a[i];
            b_tile[(load_word + i) * PITCH + load_row / 4][load_row % 4] = next_b[i];
        }
        barrier();
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            next_a[i] = load_a(row0 + load_row, k0 + 4 * (WORDS + load_word + i));
            next_b[i] = load_b(col0 + load_row, k0 + 4 * (WORDS + load_word + i));
        }
        [[unroll]] for (uint p = 0; p < WORDS; ++p) {
            uvec4 down[2] = uvec4[](a_tile[p * PITCH + y], a_tile[p * PITCH + y + 16]);
            uvec4 across[2] = uvec4[](b_tile[p * PITCH + x], b_tile[p * PITCH + x + 16]);
            [[unroll]] for (uint i = 0; i < 8; ++i) {
                [[unroll]] for (uint j = 0; j < 8; ++j) {
                    sum[i][j] = dot4(down[i / 4][i % 4], across[j / 4][j % 4], sum[i][j]);
                }
            }
        }
        barrier();  // every invocation has read the tiles before the next ones overwrite them
    }
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            uint row = row0 + 4 * y + i % 4 + i / 4 * 64;
            uint col = col0 + 4 * x + j % 4 + j / 4 * 64;
            if (row < m && col < n) {
                c[row * n + col] = sum[i][j];
            }
        }
    }
}
