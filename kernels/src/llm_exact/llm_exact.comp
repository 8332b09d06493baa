// prelude: llm_exact/exact.glsl
// Causal products of attention, one 64 x 64 tile of one head's result per workgroup, 4 x 4 elements per invocation. Mirrors
// llm_exact.cu; reference.rs is the authority.
//   values = 0   scores: a is z, b is z; c[head][i][j] = query i times key j, for tiles that reach the diagonal
//   values = 1   a holds shares [head][i][j], b is z; c[i][head] = sum over j of share j times value j, trimmed
//   z            tokens rows of heads of queries, then kv of keys, then kv of values, width floats each
//   grid         (columns / 64, tokens / 64) rounded up by heads, of 256 invocations, 10 KiB of shared memory
// Sums begin at +0 and take products in ascending order, each rounded by itself. Loops over registers are unrolled by
// macros, because the compiler's own unroller loses that promise in its copies. What lies outside counts as +0.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint tokens, heads, kv, width, values; };
layout(std430, binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(std430, binding = 0) readonly buffer A1 { float a1[]; };
layout(std430, binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(std430, binding = 1) readonly buffer B1 { float b1[]; };
layout(std430, binding = 2) writeonly buffer C1 { float c[]; };

const uint TILE = 64;
const uint DEPTH = 16;
const uint STEP = 16;
// Four vec4s of k and one of padding: neighbouring rows fall into different banks.
const uint PITCH = 5;

shared vec4 a_tile[TILE * PITCH];
shared vec4 b_tile[TILE * PITCH];

// Elements first .. first + count, at most four.
vec4 load_a(uint first, uint count, bool whole) {
    if (whole) {
        return a4[first / 4];
    }
    vec4 quad = vec4(0);
    for (uint i = 0; i < min(count, 4); ++i) {
        quad[i] = a1[first + i];
    }
    return quad;
}

vec4 load_b(uint first, uint count, bool whole) {
    if (whole) {
        return b4[first / 4];
    }
    vec4 quad = vec4(0);
    for (uint i = 0; i < min(count, 4); ++i) {
        quad[i] = b1[first + i];
    }
    return quad;
}

#define FOUR_ROWS(DO, j) DO(0, j) DO(1, j) DO(2, j) DO(3, j)
#define FOUR(DO) DO(0) DO(1) DO(2) DO(3)

#define CLEAR(i) sum[i] = float[4](0, 0, 0, 0);
#define READ_A(i) a[i] = a_tile[(ty + i * STEP) * PITCH + q];
#define TAKE(i, j) { \
    precise vec4 product = a[i] * b; \
    sum[i][j] = sum[i][j] + product.x; \
    sum[i][j] = sum[i][j] + product.y; \
    sum[i][j] = sum[i][j] + product.z; \
    sum[i][j] = sum[i][j] + product.w; \
}
#define TAKE_COLUMN(j) { \
    vec4 b = b_tile[(tx + j * STEP) * PITCH + q]; \
    FOUR_ROWS(TAKE, j) \
}
#define STORE(i, j) if (row0 + ty + i * STEP < tokens && col0 + tx + j * STEP < columns) { \
    uint at = c_first + (row0 + ty + i * STEP) * c_pitch + col0 + tx + j * STEP; \
    c[at] = values == 1 ? trim(sum[i][j]) : sum[i][j]; \
}
#define STORE_COLUMN(j) FOUR_ROWS(STORE, j)

void main() {
    uint row0 = gl_WorkGroupID.y * TILE;
    uint col0 = gl_WorkGroupID.x * TILE;
    uint head = gl_WorkGroupID.z;
    if (values == 0 && col0 >= row0 + TILE) {
        return;
    }
    uint lane = gl_LocalInvocationIndex;
    uint tx = lane % STEP;
    uint ty = lane / STEP;
    uint z_pitch = (heads + 2 * kv) * width;
    uint group = head / (heads / kv);
    uint columns = values == 1 ? width : tokens;
    uint depth = values == 1 ? min(tokens, row0 + TILE) : width;
    uint a_pitch = values == 1 ? tokens : z_pitch;
    uint a_first = values == 1 ? head * tokens * tokens : head * width;
    uint b_first = (values == 1 ? heads + kv + group : heads + group) * width;
    uint c_pitch = values == 1 ? heads * width : tokens;
    uint c_first = values == 1 ? head * width : head * tokens * tokens;
    bool a_whole = (values == 1 ? tokens : width) % 4 == 0;
    bool b_whole = width % 4 == 0;

    // Of a: one row, four neighbours along k. Of b: the same, but of values one k, four neighbouring columns.
    uint load_row = lane / 4;
    uint load_quad = lane % 4;
    uint value_row = lane / 16;
    uint value_col = lane % 16 * 4;

    precise float sum[4][4];
    FOUR(CLEAR)
    for (uint k0 = 0; k0 < depth; k0 += DEPTH) {
        uint at = k0 + 4 * load_quad;
        vec4 quad = vec4(0);
        if (row0 + load_row < tokens && at < depth) {
            quad = load_a(a_first + (row0 + load_row) * a_pitch + at, depth - at, a_whole);
        }
        a_tile[load_row * PITCH + load_quad] = quad;
        quad = vec4(0);
        if (values == 1) {
            if (k0 + value_row < depth && col0 + value_col < columns) {
                uint first = b_first + (k0 + value_row) * z_pitch + col0 + value_col;
                quad = load_b(first, columns - col0 - value_col, b_whole);
            }
            b_tile[value_col * PITCH + value_row / 4][value_row % 4] = quad.x;
            b_tile[(value_col + 1) * PITCH + value_row / 4][value_row % 4] = quad.y;
            b_tile[(value_col + 2) * PITCH + value_row / 4][value_row % 4] = quad.z;
            b_tile[(value_col + 3) * PITCH + value_row / 4][value_row % 4] = quad.w;
        } else {
            if (col0 + load_row < columns && at < depth) {
                quad = load_b(b_first + (col0 + load_row) * z_pitch + at, depth - at, b_whole);
            }
            b_tile[load_row * PITCH + load_quad] = quad;
        }
        barrier();
        for (uint q = 0; q < DEPTH / 4; ++q) {
            vec4 a[4];
            FOUR(READ_A)
            FOUR(TAKE_COLUMN)
        }
        barrier();  // every invocation has read the tiles before the next ones overwrite them
    }
    FOUR(STORE_COLUMN)
}
