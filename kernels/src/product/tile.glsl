#version 450
#extension GL_EXT_control_flow_attributes : require
// C = A B^T of operands narrower than a word, with f32 sums narrowed to bf16: one 128 x 128 tile of C per workgroup, 8 x 8
// elements per invocation. Mirrors tile.cuh. A source defines the buffers and what is declared below.
//   m n k  any sizes; what lies outside counts as zero
//   grid   (n / 128, m / 128) workgroups, rounded up, of 256 invocations, 20 KiB of shared memory
// Each element takes k in ascending order.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 2) buffer C1 { uint c[]; };

const uint TILE = 128;
const uint DEPTH = 16;
// Four vec4s of k and one of padding: eight neighbouring rows fall into different banks.
const uint PITCH = 5;
const uint STEP = 16;

shared vec4 a_tile[TILE * PITCH];
shared vec4 b_tile[TILE * PITCH];

// Bits of an element.
uint width();
// Eight elements from number 8 * `eight`, as they lie in memory, in as many words as they fill.
uvec4 eight_of_a(uint eight);
uvec4 eight_of_b(uint eight);
// The word that holds element `at`.
uint word_of_a(uint at);
uint word_of_b(uint at);
// Four neighbours in f32: the first four of eight, and the last four.
vec4 first_four(uvec4 eight);
vec4 last_four(uvec4 eight);

// Places element `at`, from its word, as number `i` of eight.
void place(inout uvec4 eight, uint i, uint word, uint at) {
    uint each = 32 / width();
    uint bits = (word >> (width() * (at % each))) & ((1u << width()) - 1u);
    eight[i / each] |= bits << (width() * (i % each));
}

uvec4 load_a(uint row, uint at) {
    uvec4 eight = uvec4(0);
    if (row >= m || at >= k) {
        return eight;
    }
    uint first = row * k + at;
    if (k % 8 == 0) {
        return eight_of_a(first / 8);
    }
    for (uint i = 0; i < min(k - at, 8); ++i) {
        place(eight, i, word_of_a(first + i), first + i);
    }
    return eight;
}

uvec4 load_b(uint row, uint at) {
    uvec4 eight = uvec4(0);
    if (row >= n || at >= k) {
        return eight;
    }
    uint first = row * k + at;
    if (k % 8 == 0) {
        return eight_of_b(first / 8);
    }
    for (uint i = 0; i < min(k - at, 8); ++i) {
        place(eight, i, word_of_b(first + i), first + i);
    }
    return eight;
}

// Column of C, within the tile, that slot `slot` of b_tile holds: an invocation's slots tx + 16 j make pairs of
// neighbouring columns, which share a word.
uint column(uint slot) {
    return 2 * (slot % STEP) + slot / STEP % 2 + 2 * STEP * (slot / (2 * STEP));
}

// Bits of the nearest bf16, ties to even.
uint narrow(float value) {
    uint bits = floatBitsToUint(value);
    bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    return nan ? bits >> 16 | 0x40u : (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

// With an odd n, rows share words, whose halves are written by atomics.
void store_half(uint at, uint bits) {
    uint shift = 16 * (at % 2);
    atomicAnd(c[at / 2], ~(0xFFFFu << shift));
    atomicOr(c[at / 2], bits << shift);
}

void store_pair(uint row, uint col, float left, float right) {
    if (row >= m || col >= n) {
        return;
    }
    uint first = row * n + col;
    if (n % 2 == 0) {
        c[first / 2] = narrow(left) | narrow(right) << 16;
        return;
    }
    store_half(first, narrow(left));
    if (col + 1 < n) {
        store_half(first + 1, narrow(right));
    }
}

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    uint tx = gl_LocalInvocationIndex % STEP;
    uint ty = gl_LocalInvocationIndex / STEP;
    uint load_row = gl_LocalInvocationIndex / 2;
    uint load_eight = gl_LocalInvocationIndex % 2;
    uint place = load_row * PITCH + 2 * load_eight;

    float sum[8][8];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            sum[i][j] = 0;
        }
    }
    uvec4 next_a = load_a(row0 + load_row, 8 * load_eight);
    uvec4 next_b = load_b(col0 + column(load_row), 8 * load_eight);
    for (uint k0 = 0; k0 < k; k0 += DEPTH) {
        a_tile[place] = first_four(next_a);
        a_tile[place + 1] = last_four(next_a);
        b_tile[place] = first_four(next_b);
        b_tile[place + 1] = last_four(next_b);
        barrier();
        next_a = load_a(row0 + load_row, k0 + DEPTH + 8 * load_eight);
        next_b = load_b(col0 + column(load_row), k0 + DEPTH + 8 * load_eight);
        [[unroll]] for (uint q = 0; q < 4; ++q) {
            vec4 a[8];
            [[unroll]] for (uint i = 0; i < 8; ++i) {
                a[i] = a_tile[(ty + i * STEP) * PITCH + q];
            }
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                vec4 b = b_tile[(tx + j * STEP) * PITCH + q];
                [[unroll]] for (uint i = 0; i < 8; ++i) {
                    sum[i][j] += a[i].x * b.x;
                    sum[i][j] += a[i].y * b.y;
                    sum[i][j] += a[i].z * b.z;
                    sum[i][j] += a[i].w * b.w;
                }
            }
        }
        barrier();  // every invocation has read the tiles before the next ones overwrite them
    }
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; j += 2) {
            store_pair(row0 + ty + i * STEP, col0 + column(tx + j * STEP), sum[i][j], sum[i][j + 1]);
        }
    }
}

