// prelude: llm_exact/exact.glsl
// Shares of the attention from scores, in place. Mirrors llm_exact_softmax.cu.
//   s      heads * tokens rows of tokens floats; row i of a head holds scores of keys 0 .. i
//   grid   any number of workgroups of 256 invocations: workgroups stride over the rows
// Past the diagonal shares are +0 to the end of its tile of 64, as far as they are read.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, tokens; };
layout(std430, binding = 0) buffer S { float s[]; };

const uint TILE = 64;
shared float highest[LANES];

float largest(uint lane, float mine) {
    highest[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width && highest[lane + half_width] > highest[lane]) {
            highest[lane] = highest[lane + half_width];
        }
        barrier();
    }
    return highest[0];  // barriers of the sum come before the next row
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * tokens;
        uint token = row % tokens;
        float high = uintBitsToFloat(0xFF800000u);
        for (uint key = lane; key <= token; key += LANES) {
            float score = s[first + key];
            high = score > high ? score : high;
        }
        float below = negated(largest(lane, high));
        precise float sum = 0.0;
        for (uint key = lane; key <= token; key += LANES) {
            precise float depth = s[first + key] + below;
            float power = power_of_e(depth);
            s[first + key] = power;
            sum = sum + power;
        }
        float factor = reciprocal(tree_sum(lane, sum));
        uint end = min(tokens, (token / TILE + 1) * TILE);
        for (uint key = lane; key < end; key += LANES) {
            precise float share = s[first + key] * factor;
            s[first + key] = key <= token ? trim(share) : 0.0;
        }
    }
}
