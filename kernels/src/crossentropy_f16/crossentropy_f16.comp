// prelude: crossentropy_f16/peak.glsl
// Cross-entropy of rows of halves and its gradient times 1024, f32 between, one workgroup per row. Mirrors
// crossentropy_f16.cu; reference.rs is the authority.
//   x, dx    rows * vocab halves, row-major, two to a word
//   labels   rows words below vocab
//   loss     rows floats
//   vocab    > 0, any; where 8 divides it, rows are read and written 16 bytes at a time
//   grid     any number of workgroups of 256 invocations, 2 KiB of shared memory: workgroups stride over the rows
// A row is read twice: for its largest logit and the sum of exponentials at once, then for the gradient. Partials are
// combined in a fixed tree, so the result does not depend on subgroups. Where rows share words, halves are written by
// atomics.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, vocab; };
layout(std430, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, binding = 0) readonly buffer X1 { uint x1[]; };
layout(std430, binding = 1) readonly buffer Labels { uint labels[]; };
layout(std430, binding = 2) writeonly buffer Loss { float loss[]; };
layout(std430, binding = 3) buffer Dx4 { uvec4 dx4[]; };
layout(std430, binding = 3) buffer Dx1 { uint dx1[]; };

const float SCALE = 1024;
// No half is lower; -infinity less itself would be NaN.
const vec2 NOTHING = vec2(-65504, 0);

vec2 with_eight(vec2 mine, uvec4 words) {
    vec2 a = unpackHalf2x16(words.x), b = unpackHalf2x16(words.y);
    vec2 c = unpackHalf2x16(words.z), d = unpackHalf2x16(words.w);
    vec2 pairs = max(max(a, b), max(c, d));
    float top = max(mine.x, max(pairs.x, pairs.y));
    vec2 sums = (exp(a - top) + exp(b - top)) + (exp(c - top) + exp(d - top));
    return vec2(top, mine.y * exp(mine.x - top) + (sums.x + sums.y));
}

float onehot(uint col, uint label) {
    return col == label ? SCALE : 0;
}

uint gradient_pair(uint word, vec2 row, uint col, uint label) {
    vec2 power = exp(unpackHalf2x16(word) - row.x) * (SCALE / row.y);
    return narrow2(power - vec2(onehot(col, label), onehot(col + 1, label)));
}

vec2 wide_row(uint lane, uint row, uint label) {
    uint vectors = vocab / 8;
    uint first = row * vectors;
    vec2 mine = NOTHING;
    for (uint i = lane; i < vectors; i += LANES) {
        mine = with_eight(mine, x4[first + i]);
    }
    vec2 all = peak(lane, mine);
    for (uint i = lane; i < vectors; i += LANES) {
        uvec4 v = x4[first + i];
        dx4[first + i] = uvec4(gradient_pair(v.x, all, 8 * i, label), gradient_pair(v.y, all, 8 * i + 2, label),
                               gradient_pair(v.z, all, 8 * i + 4, label), gradient_pair(v.w, all, 8 * i + 6, label));
    }
    return all;
}

float x_at(uint index) {
    return half_at(x1[index / 2], index);
}

vec2 narrow_row(uint lane, uint row, uint label) {
    uint first = row * vocab;
    vec2 mine = NOTHING;
    for (uint col = lane; col < vocab; col += LANES) {
        mine = joined(mine, vec2(x_at(first + col), 1));
    }
    vec2 all = peak(lane, mine);
    float share = SCALE / all.y;
    for (uint col = lane; col < vocab; col += LANES) {
        float power = exp(x_at(first + col) - all.x) * share;
        STORE_HALF(dx1, first + col, narrow(power - onehot(col, label)))
    }
    return all;
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint label = labels[row];
        vec2 all = vocab % 8 == 0 ? wide_row(lane, row, label) : narrow_row(lane, row, label);
        if (lane == 0) {
            loss[row] = log(all.y) + (all.x - x_at(row * vocab + label));
        }
    }
}
