// prelude: half/sum.glsl
// y = x / sqrt(mean(x^2) + epsilon) * w in f16 with f32 inside, one workgroup per row. Mirrors rmsnorm_f16.cu;
// reference.rs is the authority.
//   x, y   rows * cols halves, row-major, two to a word
//   w      cols halves
//   cols   > 0, any
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
// Lane t takes column pairs t, t + 256, ...; the 256 partials are added in a fixed tree, so the result does not depend
// on subgroups. With an odd cols, rows share words: their halves are written by atomics.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; float epsilon; };
layout(std430, binding = 0) readonly buffer X { uint x[]; };
layout(std430, binding = 1) readonly buffer W { uint w[]; };
layout(std430, binding = 2) buffer Y { uint y[]; };

void main() {
    uint lane = gl_LocalInvocationIndex;
    uint pairs = cols / 2 + cols % 2;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        float sum = 0;
        for (uint pair = lane; pair < pairs; pair += LANES) {
            uint at = first + 2 * pair;
            float left = half_at(x[at / 2], at);
            float right = 2 * pair + 1 < cols ? half_at(x[(at + 1) / 2], at + 1) : 0;
            sum += left * left;
            sum += right * right;
        }
        float scale = 1 / sqrt(tree_sum(sum) / float(cols) + epsilon);
        for (uint pair = lane; pair < pairs; pair += LANES) {
            uint at = first + 2 * pair;
            vec2 weight = unpackHalf2x16(w[pair]);
            uint left = narrow(half_at(x[at / 2], at) * scale * weight.x);
            if (cols % 2 == 0) {
                uint right = narrow(half_at(x[at / 2], at + 1) * scale * weight.y);
                y[at / 2] = left | (right << 16);
                continue;
            }
            STORE_HALF(y, at, left)
            if (2 * pair + 1 < cols) {
                STORE_HALF(y, at + 1, narrow(half_at(x[(at + 1) / 2], at + 1) * scale * weight.y))
            }
        }
    }
}
