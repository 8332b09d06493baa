// One of the k largest logits of each row, drawn by its weight. Mirrors sampling_topk_draw.cu; mod.rs has the
// definition and reference.rs is the authority.
//   largest  rows * k logits, the largest of a row first
//   columns  their columns
//   scales   rows floats
//   draws    rows words
//   tokens   rows words
//   k        1 to 256
//   grid     rows workgroups of 256 invocations, 2 KiB of shared memory
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint k; };
layout(std430, binding = 0) readonly buffer Largest { float largest[]; };
layout(std430, binding = 1) readonly buffer Columns { uint columns[]; };
layout(std430, binding = 2) readonly buffer Scales { float scales[]; };
layout(std430, binding = 3) readonly buffer Draws { uint draws[]; };
layout(std430, binding = 4) writeonly buffer Tokens { uint tokens[]; };

const uint THREADS = 256;

shared uint sums[2][THREADS];

uint high(uint a, uint b) {
    uint upper, lower;
    umulExtended(a, b, upper, lower);
    return upper;
}

uint weight(float top, float logit, float scale) {
    precise float below = top - logit;
    precise float product = below * scale;
    uint exponent = min(floatBitsToUint(product), 0x41F80000u);  // 31
    precise float shifted = uintBitsToFloat(exponent) + 32.0;
    uint fixed_point = floatBitsToUint(shifted) & 0x7FFFFFu;
    uint fraction = fixed_point << 14;
    uint sum = 0x003E860Au;
    sum = 0x025CCA86u - high(fraction, sum);
    sum = 0x0E293C23u - high(fraction, sum);
    sum = 0x3D7CE05Bu - high(fraction, sum);
    sum = 0xB171E9B3u - high(fraction, sum);
    return ((1u << 22) - (high(fraction, sum) >> 10)) >> (fixed_point >> 18);
}

void main() {
    uint thread = gl_LocalInvocationIndex, row = gl_WorkGroupID.x;
    uint mine = thread < k ? weight(largest[row * k], largest[row * k + thread], scales[row]) : 0;
    uint sum = mine;
    uint turn = 0;
    for (uint step = 1; step < THREADS; step *= 2) {
        sums[turn][thread] = sum;
        barrier();
        if (thread >= step) {
            sum += sums[turn][thread - step];
        }
        turn ^= 1;
    }
    sums[0][thread] = sum;
    barrier();
    uint target = high(draws[row], sums[0][THREADS - 1]);
    if (sum > target && sum - mine <= target) {
        tokens[row] = columns[row * k + thread];
    }
}
