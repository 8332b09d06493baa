// prelude: half/sum.glsl
// What train_block_f32_norm passes back to its rows, plus `more`, one workgroup per row. Mirrors
// train_block_f32_norm_back.cu.
//   dy, x, more, dx   rows * cols floats, row-major
//   scale             rows floats, from the forward pass
//   w                 cols floats
//   share             1 / cols
//   added             1, or 0 where nothing is added and `more` is not read
//   grid              any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
// With n = x * scale: dx = more + scale * (dy w - n mean(dy w n)).
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; float share; uint added; };
layout(std430, binding = 0) readonly buffer Dy { float dy[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer Scale { float scale[]; };
layout(std430, binding = 3) readonly buffer W { float w[]; };
layout(std430, binding = 4) readonly buffer More { float more[]; };
layout(std430, binding = 5) writeonly buffer Dx { float dx[]; };

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        float factor = scale[row];
        float sum = 0;
        for (uint i = lane; i < cols; i += LANES) {
            sum += dy[first + i] * w[i] * (x[first + i] * factor);
        }
        float mean = tree_sum(sum) * share;
        for (uint i = lane; i < cols; i += LANES) {
            float rest = dy[first + i] * w[i] - x[first + i] * factor * mean;
            dx[first + i] = (added != 0 ? more[first + i] : 0) + factor * rest;
        }
    }
}
