// prelude: half/half.glsl
// C = A B^T in f16 with f32 sums, one 128 x 128 tile of C per workgroup, 8 x 8 elements per invocation. Mirrors
// gemm_f16.cu.
//   a      m * k halves, row-major, two to a word
//   b      n * k halves, row-major
//   c      m * n halves, row-major; with an odd n, rows share words and their halves are written by atomics
//   m n k  any sizes; what lies outside counts as zero
//   grid   (n / 128, m / 128) workgroups, rounded up, of 256 invocations, 12 KiB of shared memory
// Each element takes k in ascending order.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, k; };
layout(std430, binding = 0) readonly buffer A2 { uvec2 a2[]; };
layout(std430, binding = 0) readonly buffer A1 { uint a1[]; };
layout(std430, binding = 1) readonly buffer B2 { uvec2 b2[]; };
layout(std430, binding = 1) readonly buffer B1 { uint b1[]; };
layout(std430, binding = 2) buffer C1 { uint c[]; };

const uint TILE = 128;
const uint DEPTH = 8;
// Two vec4s of k and one of padding: eight neighbouring rows fall into different banks.
const uint PITCH = 3;
const uint STEP = 16;

shared vec4 a_tile[TILE * PITCH];
shared vec4 b_tile[TILE * PITCH];

vec4 load_a(uint row, uint at) {
    if (row >= m || at >= k) {
        return vec4(0);
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        uvec2 halves = a2[first / 4];
        return vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y));
    }
    vec4 quad = vec4(0);
    for (uint i = 0; i < min(k - at, 4); ++i) {
        uint at_half = first + i;
        quad[i] = unpackHalf2x16(a1[at_half / 2])[at_half % 2];
    }
    return quad;
}

vec4 load_b(uint row, uint at) {
    if (row >= n || at >= k) {
        return vec4(0);
    }
    uint first = row * k + at;
    if (k % 4 == 0) {
        uvec2 halves = b2[first / 4];
        return vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y));
    }
    vec4 quad = vec4(0);
    for (uint i = 0; i < min(k - at, 4); ++i) {
        uint at_half = first + i;
        quad[i] = unpackHalf2x16(b1[at_half / 2])[at_half % 2];
    }
    return quad;
}

// Column of C, within the tile, that slot `slot` of b_tile holds: an invocation's slots tx + 16 j make pairs of
// neighbouring columns, which share a word.
uint column(uint slot) {
    return 2 * (slot % STEP) + slot / STEP % 2 + 2 * STEP * (slot / (2 * STEP));
}

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    uint tx = gl_LocalInvocationIndex % STEP;
    uint ty = gl_LocalInvocationIndex / STEP;
    uint load_row = gl_LocalInvocationIndex / 2;
    uint load_quad = gl_LocalInvocationIndex % 2;

    float sum[8][8];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        [[unroll]] for (uint j = 0; j < 8; ++j) {
            sum[i][j] = 0;
        }
    }
    vec4 next_a = load_a(row0 + load_row, 4 * load_quad);
    vec4 next_b = load_b(col0 + column(load_row), 4 * load_quad);
    for (uint k0 = 0; k0 < k; k0 += DEPTH) {
        a_tile[load_row * PITCH + load_quad] = next_a;
        b_tile[load_row * PITCH + load_quad] = next_b;
        barrier();
        next_a = load_a(row0 + load_row, k0 + DEPTH + 4 * load_quad);
        next_b = load_b(col0 + column(load_row), k0 + DEPTH + 4 * load_quad);
        [[unroll]] for (uint q = 0; q < 2; ++q) {
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
            uint row = row0 + ty + i * STEP;
            uint col = col0 + column(tx + j * STEP);
            if (row >= m || col >= n) {
                continue;
            }
            uint left = narrow(sum[i][j]);
            uint right = narrow(sum[i][j + 1]);
            uint first = row * n + col;
            if (n % 2 == 0) {
                c[first / 2] = left | (right << 16);
                continue;
            }
            STORE_HALF(c, first, left)
            if (col + 1 < n) {
                STORE_HALF(c, first + 1, right)
            }
        }
    }
}
