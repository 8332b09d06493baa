#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
// Y = X transpose(W) with 4-bit weights and i8 activations in blocks of 32, Y in f32: all but the dot product of four bytes,
// which devices have in different ways. Mirrors gemm_q4.cu; reference.rs is the authority.
//   x         m * blocks blocks of 32 signed bytes
//   x_scales  m * blocks halves, two to a word
//   w         n * blocks blocks of 16 bytes, row-major: byte j holds weights j, low, and j + 16, each plus 8
//   scales    n * blocks halves, two to a word
//   y         m * n floats
//   m n blocks  any sizes; n * blocks, 2 * m * blocks and m * n below 2^31, blocks below 2^18: fewer than 65,536 rounds
//   grid      (n / 64, m / 64) workgroups, rounded up, of 256 invocations, 19 KiB of shared memory
// A workgroup computes 64 rows for up to 64 tokens in steps of four blocks of weights, which it reads once and widens to bytes
// as it stores them. Invocation (tx, ty) has rows 4 tx .. + 3 and tokens ty, ty + 16, ...: as many groups of 16 as there are.
// A block's sum is an exact integer.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, blocks; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) readonly buffer XScales { uint x_scales[]; };
layout(std430, binding = 2) readonly buffer W { uvec4 w[]; };
layout(std430, binding = 3) readonly buffer Scales { uint scales[]; };
layout(std430, binding = 4) writeonly buffer Y { float y[]; };

const uint TILE = 64;
const uint STEP = 4;
const uint WORDS = 8;
// Vectors of a token: tokens side by side fall into different banks.
const uint PITCH = STEP * 2 + 1;

// Weights as bytes, 16 times themselves: word p of a block of each row, four rows to a vector. Rows are exchanged in eights by
// block, so that blocks of one row that are stored at once fall into different banks.
shared uvec4 w_tile[STEP * WORDS * TILE / 4];
shared uvec4 x_tile[TILE * PITCH];
shared float w_scale_tile[STEP * TILE];
shared float x_scale_tile[STEP * TILE];

// sum + a[0] b[0] + a[1] b[1] + a[2] b[2] + a[3] b[3] over signed bytes.
int dot4(uint a, uint b, int sum);

float half_of(uint word, uint index) {
    vec2 pair = unpackHalf2x16(word);
    return index % 2 == 0 ? pair.x : pair.y;
}

void add_step(inout float sums[4][4], uint groups) {
    uint tx = gl_LocalInvocationIndex % 16, ty = gl_LocalInvocationIndex / 16;
    for (uint block = 0; block < STEP; ++block) {
        int dots[4][4];
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            [[unroll]] for (uint r = 0; r < 4; ++r) {
                dots[j][r] = 0;
            }
        }
        [[unroll]] for (uint half_block = 0; half_block < 2; ++half_block) {
            uvec4 weights[4];
            [[unroll]] for (uint p = 0; p < 4; ++p) {
                weights[p] = w_tile[(block * WORDS + half_block * 4 + p) * (TILE / 4) + (tx ^ (block * 2))];
            }
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                if (j < groups) {
                    uvec4 words = x_tile[(ty + 16 * j) * PITCH + block * 2 + half_block];
                    [[unroll]] for (uint p = 0; p < 4; ++p) {
                        [[unroll]] for (uint r = 0; r < 4; ++r) {
                            dots[j][r] = dot4(weights[p][r], words[p], dots[j][r]);
                        }
                    }
                }
            }
        }
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            float x_scale = x_scale_tile[block * TILE + ty + 16 * j];
            [[unroll]] for (uint r = 0; r < 4; ++r) {
                sums[j][r] += w_scale_tile[block * TILE + 4 * tx + r] * x_scale * float(dots[j][r]);
            }
        }
    }
}

void main() {
    uint left = gl_WorkGroupID.x * TILE, top = gl_WorkGroupID.y * TILE;
    uint line = gl_LocalInvocationIndex / STEP, own = gl_LocalInvocationIndex % STEP;
    uint token = gl_LocalInvocationIndex / 8, part = gl_LocalInvocationIndex % 8;
    uint groups = min((m - top + 15) / 16, 4);
    float sums[4][4];
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        [[unroll]] for (uint r = 0; r < 4; ++r) {
            sums[j][r] = 0;
        }
    }
    for (uint at = 0; at < blocks; at += STEP) {
        uint block = at + own, w_at = (left + line) * blocks + block, x_at = (top + line) * blocks + block;
        bool has_w = left + line < n && block < blocks, has_x = top + line < m && block < blocks;
        uvec4 words = has_w ? w[w_at] : uvec4(0);
        w_scale_tile[own * TILE + line] = has_w ? half_of(scales[w_at / 2], w_at) : 0;
        x_scale_tile[own * TILE + line] = has_x ? half_of(x_scales[x_at / 2], x_at) * 0.0625 : 0;
        uint row = line ^ (own * 8), to = own * WORDS * (TILE / 4) + row / 4;
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            // A nibble above four zero bits, its highest bit turned, is 16 times the nibble minus 8 as a signed byte.
            w_tile[to + i * (TILE / 4)][row % 4] = ((words[i] << 4) & 0xF0F0F0F0u) ^ 0x80808080u;
            w_tile[to + (4 + i) * (TILE / 4)][row % 4] = (words[i] & 0xF0F0F0F0u) ^ 0x80808080u;
        }
        [[unroll]] for (uint i = 0; i < 2; ++i) {
            uint line = token + 32 * i;
            bool inside = top + line < m && 2 * at + part < 2 * blocks;
            x_tile[line * PITCH + part] = inside ? x[(top + line) * (2 * blocks) + 2 * at + part] : uvec4(0);
        }
        barrier();
        add_step(sums, groups);
        barrier();  // every invocation has read the step before the next one overwrites it
    }
    uint first = left + gl_LocalInvocationIndex % 16 * 4;
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        uint at = top + gl_LocalInvocationIndex / 16 + 16 * j;
        [[unroll]] for (uint r = 0; r < 4; ++r) {
            if (at < m && first + r < n) {
                y[at * n + first + r] = sums[j][r];
            }
        }
    }
}

