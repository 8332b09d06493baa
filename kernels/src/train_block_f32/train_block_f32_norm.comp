// prelude: half/sum.glsl
// y = x / sqrt(mean(x^2) + 1e-5) * w by rows, and the scale of each row, one workgroup per row. Mirrors
// train_block_f32_norm.cu.
//   x, y    rows * cols floats, row-major
//   w       cols floats
//   scale   rows floats: 1 / sqrt(mean(x^2) + 1e-5)
//   share   1 / cols
//   grid    any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; float share; };
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer W { float w[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
layout(std430, binding = 3) writeonly buffer Scale { float scale[]; };

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        float squares = 0;
        for (uint i = lane; i < cols; i += LANES) {
            squares += x[first + i] * x[first + i];
        }
        float factor = 1 / sqrt(tree_sum(squares) * share + 1e-5);
        for (uint i = lane; i < cols; i += LANES) {
            y[first + i] = x[first + i] * factor * w[i];
        }
        if (lane == 0) {
            scale[row] = factor;
        }
    }
}
