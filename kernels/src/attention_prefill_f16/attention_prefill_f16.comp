// prelude: half/half.glsl
// Attention with grouped queries, causal or without a mask, by the online softmax, f16 in and out, scores and sums in f32.
// Mirrors attention_prefill_f16.cu; reference.rs is the authority.
//   q, o   tokens * heads * head halves, two to a word; with an odd head, rows share words and their halves are written by
//          atomics
//   k, v   tokens * kvheads * head halves
//   head   at most 128
//   scale  1 / sqrt(head)
//   ahead  keys after its own that a query sees: none where attention is causal, tokens where nothing is masked
//   grid   (heads, tokens / 64) workgroups, rounded up, of 128 invocations, the last queries first; 27 KiB of shared memory
// A workgroup takes 64 queries of one head and walks over the keys they see, 64 at a time in ascending order. An invocation
// has 8 x 4 scores and 8 x 8 sums; two share a row of the softmax.
layout(local_size_x = 128) in;
layout(push_constant) uniform Sizes { uint tokens, heads, kvheads, head; float scale; uint ahead; };
layout(std430, binding = 0) readonly buffer Q8 { uvec4 q8[]; };
layout(std430, binding = 0) readonly buffer Q1 { uint q1[]; };
layout(std430, binding = 1) readonly buffer K8 { uvec4 k8[]; };
layout(std430, binding = 1) readonly buffer K1 { uint k1[]; };
layout(std430, binding = 2) readonly buffer V8 { uvec4 v8[]; };
layout(std430, binding = 2) readonly buffer V1 { uint v1[]; };
layout(std430, binding = 3) buffer O4 { uvec2 o4[]; };
layout(std430, binding = 3) buffer O1 { uint o1[]; };

const uint TILE = 64;
// Elements of a head that one step of the scores takes, and keys that one step of the sums takes.
const uint STEP = 32;
const uint KEYS = 16;
// vec4s from row to row: odd, so that neighbouring rows lie in different banks.
const uint STEP_PITCH = STEP / 4 + 1;
const uint TILE_PITCH = TILE / 4 + 1;
const uint HEAD4 = 128 / 4;
// Below every score: 2 to it is zero, and no device need know of infinities.
const float LOWEST = -1e30;

// Queries and keys of a step; then the weights.
shared vec4 tiles[2 * TILE * STEP_PITCH];
shared vec4 values[KEYS * HEAD4];
shared float factors[TILE];
shared float halves[128];
const uint KEY_TILE = TILE * STEP_PITCH;

// Eight halves of a token of one of `count` heads, from element `at`; zeros outside.
#define EIGHT(name, by_eight, by_word) \
    uvec4 name(uint token, uint count, uint index, uint at) { \
        if (token >= tokens || at >= head) { \
            return uvec4(0); \
        } \
        uint start = (token * count + index) * head + at; \
        if (head % 8 == 0) { \
            return by_eight[start / 8]; \
        } \
        uvec4 eight = uvec4(0); \
        for (uint i = 0; i < min(head - at, 8); ++i) { \
            uint half_bits = by_word[(start + i) / 2] >> (16 * ((start + i) % 2)) & 0xFFFFu; \
            eight[i / 2] |= half_bits << (16 * (i % 2)); \
        } \
        return eight; \
    }
EIGHT(eight_q, q8, q1)
EIGHT(eight_k, k8, k1)
EIGHT(eight_v, v8, v1)

vec4 widened(uvec2 four) {
    return vec4(unpackHalf2x16(four.x), unpackHalf2x16(four.y));
}

void store_tile(uint to, uvec4 low, uvec4 high) {
    tiles[to] = widened(low.xy);
    tiles[to + 1] = widened(low.zw);
    tiles[to + 2] = widened(high.xy);
    tiles[to + 3] = widened(high.zw);
}

void store_values(uint to, uvec4 low, uvec4 high) {
    values[to] = widened(low.xy);
    values[to + 1] = widened(low.zw);
    values[to + 2] = widened(high.xy);
    values[to + 3] = widened(high.zw);
}

void write_four(uint start, uint left, uvec2 four) {
    if (head % 4 == 0) {
        o4[start / 4] = four;
        return;
    }
    if (head % 2 == 0) {
        o1[start / 2] = four.x;
        if (left > 2) {
            o1[start / 2 + 1] = four.y;
        }
        return;
    }
    for (uint i = 0; i < min(left, 4); ++i) {
        STORE_HALF(o1, start + i, four[i / 2] >> (16 * (i % 2)) & 0xFFFFu)
    }
}

void main() {
    uint thread = gl_LocalInvocationIndex;
    uint x = thread % 16, y = thread / 16;
    uint query_head = gl_WorkGroupID.x;
    uint kvhead = query_head / (heads / kvheads);
    uint first = (gl_NumWorkGroups.y - 1 - gl_WorkGroupID.y) * TILE;
    bool both = head > 64;
    // What this invocation loads: 16 elements of a row of queries and keys, 16 of a row of values.
    uint load_row = thread / 2, load_at = thread % 2 * 16;
    uint value_row = thread / 8, value_at = thread % 8 * 16;
    uint query_to = load_row * STEP_PITCH + load_at / 4;
    // Key 4 x + j lies in row x + 16 j.
    uint key_to = KEY_TILE + (load_row / 4 + load_row % 4 * 16) * STEP_PITCH + load_at / 4;
    uint value_to = value_row * HEAD4 + value_at / 4;
    // Scores in powers of two.
    float base_2 = scale * 1.44269504;

    vec4 sum[8][2];
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        sum[i][0] = vec4(0);
        sum[i][1] = vec4(0);
    }
    float top = LOWEST, total = 0;
    uvec4 q_low = eight_q(first + load_row, heads, query_head, load_at);
    uvec4 q_high = eight_q(first + load_row, heads, query_head, load_at + 8);
    uvec4 low = eight_k(load_row, kvheads, kvhead, load_at);
    uvec4 high = eight_k(load_row, kvheads, kvhead, load_at + 8);
    uint last = min(first + TILE - 1 + ahead, tokens - 1);
    for (uint key = 0; key <= last; key += TILE) {
        float score[8][4];
        [[unroll]] for (uint i = 0; i < 8; ++i) {
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                score[i][j] = 0;
            }
        }
        for (uint at = 0; at < head; at += STEP) {
            store_tile(query_to, q_low, q_high);
            store_tile(key_to, low, high);
            barrier();
            uint next = at + STEP + load_at;
            if (at + STEP < head) {
                q_low = eight_q(first + load_row, heads, query_head, next);
                q_high = eight_q(first + load_row, heads, query_head, next + 8);
                low = eight_k(key + load_row, kvheads, kvhead, next);
                high = eight_k(key + load_row, kvheads, kvhead, next + 8);
            } else {
                low = eight_v(key + value_row, kvheads, kvhead, value_at);
                high = eight_v(key + value_row, kvheads, kvhead, value_at + 8);
            }
            for (uint p = 0; p < STEP / 4; ++p) {
                vec4 keys[4];
                [[unroll]] for (uint j = 0; j < 4; ++j) {
                    keys[j] = tiles[KEY_TILE + (x + 16 * j) * STEP_PITCH + p];
                }
                [[unroll]] for (uint i = 0; i < 8; ++i) {
                    vec4 query = tiles[(y + 8 * i) * STEP_PITCH + p];
                    [[unroll]] for (uint j = 0; j < 4; ++j) {
                        score[i][j] += query.x * keys[j].x;
                        score[i][j] += query.y * keys[j].y;
                        score[i][j] += query.z * keys[j].z;
                        score[i][j] += query.w * keys[j].w;
                    }
                }
            }
            barrier();  // nobody reads this step any more
        }

        [[unroll]] for (uint i = 0; i < 8; ++i) {
            uint reach = min(first + y + 8 * i + ahead, last);
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                bool seen = key + 4 * x + j <= reach;
                score[i][j] = seen ? score[i][j] * base_2 : LOWEST;
            }
            tiles[(y + 8 * i) * TILE_PITCH + x] = vec4(score[i][0], score[i][1], score[i][2], score[i][3]);
        }
        barrier();

        uint mine = thread / 2 * TILE_PITCH + thread % 2 * (TILE / 8);
        vec4 largest = vec4(top);
        [[unroll]] for (uint p = 0; p < TILE / 8; ++p) {
            largest = max(largest, tiles[mine + p]);
        }
        float highest = max(max(largest.x, largest.y), max(largest.z, largest.w));
        halves[thread] = highest;
        barrier();
        highest = max(highest, halves[thread ^ 1]);
        float factor = exp2(top - highest);
        top = highest;
        total *= factor;
        [[unroll]] for (uint p = 0; p < TILE / 8; ++p) {
            vec4 weight = exp2(tiles[mine + p] - top);
            total += (weight.x + weight.y) + (weight.z + weight.w);
            tiles[mine + p] = weight;
        }
        if (thread % 2 == 0) {
            factors[thread / 2] = factor;
        }
        barrier();
        [[unroll]] for (uint i = 0; i < 8; ++i) {
            float earlier = factors[y + 8 * i];
            sum[i][0] *= earlier;
            sum[i][1] *= earlier;
        }

        for (uint at = 0; at < TILE; at += KEYS) {
            store_values(value_to, low, high);
            barrier();
            if (at + KEYS < TILE) {
                low = eight_v(key + at + KEYS + value_row, kvheads, kvhead, value_at);
                high = eight_v(key + at + KEYS + value_row, kvheads, kvhead, value_at + 8);
            } else {
                q_low = eight_q(first + load_row, heads, query_head, load_at);
                q_high = eight_q(first + load_row, heads, query_head, load_at + 8);
                low = eight_k(key + TILE + load_row, kvheads, kvhead, load_at);
                high = eight_k(key + TILE + load_row, kvheads, kvhead, load_at + 8);
            }
            for (uint p = 0; p < KEYS / 4; ++p) {
                vec4 weight[8];
                [[unroll]] for (uint i = 0; i < 8; ++i) {
                    weight[i] = tiles[(y + 8 * i) * TILE_PITCH + at / 4 + p];
                }
                [[unroll]] for (uint c = 0; c < 2; ++c) {
                    if (c == 0 || both) {
                        uint value = 4 * p * HEAD4 + 16 * c + x;
                        vec4 v0 = values[value], v1 = values[value + HEAD4];
                        vec4 v2 = values[value + 2 * HEAD4], v3 = values[value + 3 * HEAD4];
                        [[unroll]] for (uint i = 0; i < 8; ++i) {
                            sum[i][c] += weight[i].x * v0;
                            sum[i][c] += weight[i].y * v1;
                            sum[i][c] += weight[i].z * v2;
                            sum[i][c] += weight[i].w * v3;
                        }
                    }
                }
            }
            barrier();  // nobody reads these values any more, nor, after the last, the weights
        }
    }

    halves[thread] = total;
    barrier();
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        uint row = y + 8 * i, token = first + row;
        float share = 1.0 / (halves[2 * row] + halves[2 * row + 1]);
        [[unroll]] for (uint c = 0; c < 2; ++c) {
            uint at = 64 * c + 4 * x;
            if (token < tokens && at < head) {
                vec4 part = sum[i][c] * share;
                uvec2 four = uvec2(narrow2(part.xy), narrow2(part.zw));
                write_four((token * heads + query_head) * head + at, head - at, four);
            }
        }
    }
}
