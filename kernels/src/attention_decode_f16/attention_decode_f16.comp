// prelude: half/half.glsl
// Attention of one query of each sequence and head over one split of 256 keys of a paged cache. Mirrors
// attention_decode_f16.cu; reference.rs is the authority.
//   q        batch * heads * head halves
//   kpages   pages of 16 tokens * kvheads * head halves, and vpages as many; fewer than 2^32
//   table    seqpages numbers of pages for each sequence
//   lengths  tokens of each sequence, 1 to 16 * seqpages
//   sums     batch * heads * splits * head floats: the values of a split times exp(score - its largest score)
//   stats    batch * heads * splits pairs: that largest score and the sum of those weights
//   head     a multiple of 8, at most 128; heads is a multiple of kvheads
//   grid     (kvheads times chunks of eight of the heads / kvheads queries, splits, batch) workgroups of 256 invocations,
//            25 KiB of shared memory; splits that begin past the end of a sequence are left as they are
// Sixteen lanes hold a head, a vector of eight halves each, of four queries and of four keys at a time: each key and each
// value is read once for up to eight queries. Sums across lanes go through shared memory in a fixed order, so the result does
// not depend on subgroups.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint heads, kvheads, head, seqpages; float scale; };
layout(std430, binding = 0) readonly buffer Q { uvec4 q[]; };
layout(std430, binding = 1) readonly buffer K { uvec4 kpages[]; };
layout(std430, binding = 2) readonly buffer V { uvec4 vpages[]; };
layout(std430, binding = 3) readonly buffer Table { uint table[]; };
layout(std430, binding = 4) readonly buffer Lengths { uint lengths[]; };
layout(std430, binding = 5) writeonly buffer Sums { vec4 sums[]; };
layout(std430, binding = 6) writeonly buffer Stats { vec2 stats[]; };

const uint PAGE = 16;
const uint SPLIT = 256;
const uint QUERIES = 8;
const uint THREADS = 256;
// 16 words of padding: neighbouring rows of products fall into different banks.
const uint PITCH = THREADS + 16;

// [key][query]: scores, then weights. A vector holds four queries.
shared vec4 weights[SPLIT * QUERIES / 4];
shared float parts[16 * PITCH];

struct Vector {
    vec4 low, high;
};

Vector widen8(uvec4 v) {
    return Vector(vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y)), vec4(unpackHalf2x16(v.z), unpackHalf2x16(v.w)));
}

// What this workgroup and this invocation work on.
struct Task {
    uint keys;         // of this split
    uint pages;        // where its pages stand in the table
    uint at;           // this lane's vector within a token
    uint lane, slot, slots, quad, quads;
    bool inside;       // whether the lane holds a part of the head
};

uint place(Task task, uint key) {
    return (table[task.pages + key / PAGE] * PAGE + key % PAGE) * (kvheads * (head / 8)) + task.at;
}

#define LOAD(cache, task, key) ((task).inside && (key) < (task).keys ? cache[place(task, key)] : uvec4(0))

// Scores of this invocation's four queries and of four keys a round.
void score(Task task, Vector mine[4]) {
    uint thread = gl_LocalInvocationIndex;
    for (uint round = 0; round < task.keys; round += 4 * task.slots) {
        uint first = round + 4 * task.slot;
        uvec4 k[4];
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            k[j] = LOAD(kpages, task, first + j);
        }
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            Vector wide = widen8(k[j]);
            [[unroll]] for (uint i = 0; i < 4; ++i) {
                parts[(4 * j + i) * PITCH + thread] = dot(mine[i].low, wide.low) + dot(mine[i].high, wide.high);
            }
        }
        barrier();
        // Sixteen slots times sixteen products: one for each invocation, which begins at a lane of its own.
        uint product = thread / 16, group = thread % 16;
        float sum = 0;
        for (uint i = 0; i < 16; ++i) {
            sum += parts[product * PITCH + 16 * group + (i + group) % 16];
        }
        uint key = round + 4 * (group / task.quads) + product / 4, query = 4 * (group % task.quads) + product % 4;
        weights[key * 2 + query / 4][query % 4] = sum * scale;
        barrier();  // the next products overwrite these
    }
}

// The largest of what the 32 invocations of a query bring.
float largest(float mine) {
    uint thread = gl_LocalInvocationIndex;
    parts[thread] = mine;
    barrier();
    for (uint other = THREADS / 2; other >= QUERIES; other /= 2) {
        if (thread < other) {
            parts[thread] = max(parts[thread], parts[thread + other]);
        }
        barrier();
    }
    float result = parts[thread % QUERIES];
    barrier();  // all have read it before it is overwritten
    return result;
}

float total(float mine) {
    uint thread = gl_LocalInvocationIndex;
    parts[thread] = mine;
    barrier();
    for (uint other = THREADS / 2; other >= QUERIES; other /= 2) {
        if (thread < other) {
            parts[thread] += parts[thread + other];
        }
        barrier();
    }
    float result = parts[thread % QUERIES];
    barrier();  // all have read it before it is overwritten
    return result;
}

// Scores to weights, zero past the last key; gives the largest score and the sum of weights of query `thread % 8`.
vec2 weigh(uint keys) {
    uint query = gl_LocalInvocationIndex % QUERIES, first = gl_LocalInvocationIndex / QUERIES;
    float top = uintBitsToFloat(0xFF800000u);
    for (uint key = first; key < keys; key += THREADS / QUERIES) {
        top = max(top, weights[key * 2 + query / 4][query % 4]);
    }
    top = largest(top);
    float sum = 0;
    for (uint key = first; key < SPLIT; key += THREADS / QUERIES) {
        float weight = key < keys ? exp(weights[key * 2 + query / 4][query % 4] - top) : 0;
        weights[key * 2 + query / 4][query % 4] = weight;
        sum += weight;
    }
    return vec2(top, total(sum));
}

void main() {
    uint sequence = gl_WorkGroupID.z, split = gl_WorkGroupID.y, length = lengths[sequence];
    if (split * SPLIT >= length) {
        return;
    }
    uint vectors = head / 8, group = heads / kvheads, chunks = (group + QUERIES - 1) / QUERIES;
    uint kvhead = gl_WorkGroupID.x / chunks, skipped = gl_WorkGroupID.x % chunks * QUERIES;
    uint queries = min(group - skipped, QUERIES);
    uint row = sequence * heads + kvhead * group + skipped, splits = gl_NumWorkGroups.y;
    uint thread = gl_LocalInvocationIndex, lane = thread % 16;
    // Sixteen groups of lanes: each takes other keys, or two share keys that more than four queries need.
    uint quads = queries > 4 ? 2 : 1;
    Task task = Task(min(length - split * SPLIT, SPLIT), sequence * seqpages + split * (SPLIT / PAGE), kvhead * vectors + lane,
                     lane, thread / 16 / quads, 16 / quads, thread / 16 % quads, quads, lane < vectors);

    Vector mine[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        bool there = 4 * task.quad + i < queries && task.inside;
        mine[i] = widen8(there ? q[(row + 4 * task.quad + i) * vectors + lane] : uvec4(0));
    }
    score(task, mine);
    vec2 stat = weigh(task.keys);
    if (thread < queries) {
        stats[(row + thread) * splits + split] = stat;
    }

    Vector sum[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        sum[i] = Vector(vec4(0), vec4(0));
    }
    for (uint round = 0; round < task.keys; round += 4 * task.slots) {
        uint first = round + 4 * task.slot;
        uvec4 v[4];
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            v[j] = LOAD(vpages, task, first + j);
        }
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            vec4 w = weights[(first + j) * 2 + task.quad];
            Vector wide = widen8(v[j]);
            [[unroll]] for (uint i = 0; i < 4; ++i) {
                sum[i].low += w[i] * wide.low;
                sum[i].high += w[i] * wide.high;
            }
        }
    }

    // All slots in a tree, 16 of a thread's 32 sums at a time; those of slot 0 get the result.
    for (uint other = THREADS / 2; other >= 16 * quads; other /= 2) {
        uint at = thread % other;
        [[unroll]] for (uint pair = 0; pair < 4; pair += 2) {
            if (thread >= other && thread < 2 * other) {
                [[unroll]] for (uint e = 0; e < 4; ++e) {
                    parts[e * other + at] = sum[pair].low[e];
                    parts[(4 + e) * other + at] = sum[pair].high[e];
                    parts[(8 + e) * other + at] = sum[pair + 1].low[e];
                    parts[(12 + e) * other + at] = sum[pair + 1].high[e];
                }
            }
            barrier();
            if (thread < other) {
                [[unroll]] for (uint e = 0; e < 4; ++e) {
                    sum[pair].low[e] += parts[e * other + at];
                    sum[pair].high[e] += parts[(4 + e) * other + at];
                    sum[pair + 1].low[e] += parts[(8 + e) * other + at];
                    sum[pair + 1].high[e] += parts[(12 + e) * other + at];
                }
            }
            barrier();  // the next sums overwrite these
        }
    }
    if (task.slot != 0 || !task.inside) {
        return;
    }
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        if (4 * task.quad + i < queries) {
            uint to = (((row + 4 * task.quad + i) * splits + split) * vectors + lane) * 2;
            sums[to] = sum[i].low;
            sums[to + 1] = sum[i].high;
        }
    }
}
