// The k largest of each segment of 8192 values of each row, the largest first; of equal ones that of the lower place. Mirrors
// sampling_topk.cu; reference.rs is the authority.
//   values      rows * width floats as their bits, in which 0xFFFFFFFF stands for none
//   columns     their columns, in ascending order where values are equal; not read where `first` is not 0: columns are places
//   to_values   rows * segments * k of the largest, then none where a segment has fewer
//   to_columns  their columns
//   k           1 to 256
//   grid        (segments, rows) workgroups of 256 invocations, 3.1 KiB of shared memory
// Values are compared as integers in the order of the floats. A threshold is built bit by bit, from the top, that at least k
// values reach, until at most 256 do; those are ranked among each other. If more than 256 share the k-th value, a second
// search by place leaves as many of them as are wanted.
#version 450
#extension GL_EXT_control_flow_attributes : require
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint width, k, first; };
layout(std430, binding = 0) readonly buffer Values4 { uvec4 values4[]; };
layout(std430, binding = 0) readonly buffer Values1 { uint values1[]; };
layout(std430, binding = 1) readonly buffer Columns { uint columns[]; };
layout(std430, binding = 2) writeonly buffer ToValues { uint to_values[]; };
layout(std430, binding = 3) writeonly buffer ToColumns { uint to_columns[]; };

const uint SEGMENT = 8192;
const uint THREADS = 256;
const uint MINE = SEGMENT / THREADS;
const uint CANDIDATES = 256;
const uint NONE = 0xFFFFFFFFu;

shared uint parts[THREADS];
shared uint sums[16];
shared uint found;
shared uint candidates[CANDIDATES];
shared uint places[CANDIDATES];

uint keys[MINE];

// An integer in the order of the float with these bits; zero for none.
uint key_of(uint bits) {
    return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

uint bits_of(uint key) {
    return key >> 31 != 0 ? key & 0x7FFFFFFFu : ~key;
}

// Place in the segment of an invocation's value i.
uint place_of(uint i) {
    return (i / 4 * THREADS + gl_LocalInvocationIndex) * 4 + i % 4;
}

// The segment's keys, in the order of `place_of`; zero past its end.
void load(uint begin, uint held) {
    [[unroll]] for (uint i = 0; i < MINE; i += 4) {
        uint place = place_of(i);
        if (width % 4 == 0) {
            uvec4 v = place < held ? values4[(begin + place) / 4] : uvec4(NONE);
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                keys[i + j] = key_of(v[j]);
            }
        } else {
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                keys[i + j] = place + j < held ? key_of(values1[begin + place + j]) : 0;
            }
        }
    }
}

// The workgroup's sum; every invocation gets it. The first barrier of the next sum keeps these until all have read them.
uint total(uint mine) {
    uint thread = gl_LocalInvocationIndex;
    parts[thread] = mine;
    barrier();
    if (thread < 16) {
        uint sum = 0;
        for (uint i = thread; i < THREADS; i += 16) {
            sum += parts[i];
        }
        sums[thread] = sum;
    }
    barrier();
    uint all = 0;
    for (uint i = 0; i < 16; ++i) {
        all += sums[i];
    }
    return all;
}

uint reaching(uint least) {
    uint count = 0;
    [[unroll]] for (uint i = 0; i < MINE; ++i) {
        count += uint(keys[i] >= least);
    }
    return count;
}

uint equal_before(uint key, uint place) {
    uint count = 0;
    [[unroll]] for (uint i = 0; i < MINE; ++i) {
        count += uint(keys[i] == key && place_of(i) < place);
    }
    return count;
}

void main() {
    uint thread = gl_LocalInvocationIndex;
    uint base = gl_WorkGroupID.x * SEGMENT, row = gl_WorkGroupID.y * width;
    uint held = min(width - base, SEGMENT);
    load(row + base, held);
    if (thread == 0) {
        found = 0;
    }
    barrier();

    uint least = 0, count = held;
    for (uint bit = 0x80000000u; bit > 0 && count > CANDIDATES; bit /= 2) {
        uint reached = total(reaching(least | bit));
        if (reached >= k) {
            least |= bit;
            count = reached;
        }
    }
    uint end = SEGMENT;  // of the values equal to `least`, those before it are wanted
    if (count > CANDIDATES) {
        uint wanted = k - total(reaching(least + 1));
        uint last = 0;
        for (uint bit = SEGMENT / 2; bit > 0; bit /= 2) {
            if (total(equal_before(least, last | bit)) < wanted) {
                last |= bit;
            }
        }
        end = last + 1;
    }

    [[unroll]] for (uint i = 0; i < MINE; ++i) {
        if (keys[i] != 0 && (keys[i] > least || (keys[i] == least && place_of(i) < end))) {
            uint slot = atomicAdd(found, 1);
            candidates[slot] = keys[i];
            places[slot] = place_of(i);
        }
    }
    barrier();
    uint all = found, to = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * k;
    if (thread < all) {
        uint key = candidates[thread], place = places[thread], rank = 0;
        for (uint i = 0; i < all; ++i) {
            rank += uint(candidates[i] > key || (candidates[i] == key && places[i] < place));
        }
        if (rank < k) {
            to_values[to + rank] = bits_of(key);
            to_columns[to + rank] = first != 0 ? base + place : columns[row + base + place];
        }
    } else if (thread < k) {
        to_values[to + thread] = NONE;
        to_columns[to + thread] = NONE;
    }
}
