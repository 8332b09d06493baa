// prelude: crossentropy_f16/peak.glsl
// Cross-entropy of rows of logits, in whose place its gradient stands: x becomes softmax(x) - onehot(label). Mirrors
// train_step_loss.cu.
//   labels   rows words below vocab
//   loss     rows floats: ln(sum(exp(x))) - x[label]
//   x        rows * vocab floats, row-major; read and written 16 bytes at a time where 4 divides vocab
//   grid     any number of workgroups of 256 invocations, 2 KiB of shared memory: workgroups stride over the rows
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, vocab; };
layout(std430, binding = 0) readonly buffer Labels { uint labels[]; };
layout(std430, binding = 1) writeonly buffer Loss { float loss[]; };
layout(std430, binding = 2) buffer X4 { vec4 x4[]; };
layout(std430, binding = 2) buffer X1 { float x1[]; };

// No float is lower; -infinity less itself would be NaN.
const vec2 NOTHING = vec2(-3.402823466e38, 0);

vec2 with_four(vec2 mine, vec4 x) {
    float top = max(max(mine.x, max(x.x, x.y)), max(x.z, x.w));
    vec4 powers = exp(x - top);
    return vec2(top, mine.y * exp(mine.x - top) + ((powers.x + powers.y) + (powers.z + powers.w)));
}

vec2 wide_row(uint lane, uint first, uint label) {
    vec2 mine = NOTHING;
    for (uint i = lane; i < vocab / 4; i += LANES) {
        mine = with_four(mine, x4[first / 4 + i]);
    }
    vec2 all = peak(lane, mine);
    float share = 1 / all.y;
    for (uint i = lane; i < vocab / 4; i += LANES) {
        vec4 hot = vec4(equal(uvec4(0, 1, 2, 3) + 4 * i, uvec4(label)));
        x4[first / 4 + i] = exp(x4[first / 4 + i] - all.x) * share - hot;
    }
    return all;
}

vec2 narrow_row(uint lane, uint first, uint label) {
    vec2 mine = NOTHING;
    for (uint i = lane; i < vocab; i += LANES) {
        mine = joined(mine, vec2(x1[first + i], 1));
    }
    vec2 all = peak(lane, mine);
    float share = 1 / all.y;
    for (uint i = lane; i < vocab; i += LANES) {
        x1[first + i] = exp(x1[first + i] - all.x) * share - (i == label ? 1 : 0);
    }
    return all;
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint label = labels[row], first = row * vocab;
        float own = x1[first + label];  // before the barriers of the peak, after which it is overwritten
        vec2 all = vocab % 4 == 0 ? wide_row(lane, first, label) : narrow_row(lane, first, label);
        if (lane == 0) {
            loss[row] = log(all.y) + (all.x - own);
        }
    }
}
