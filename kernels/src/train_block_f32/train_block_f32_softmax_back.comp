// prelude: half/sum.glsl
// What softmax passes back to its scores, in place: dx = p (dp - sum(p dp)), one workgroup per row. Mirrors
// train_block_f32_softmax_back.cu.
//   p, dx    rows * cols floats, row-major; dx holds dp before
//   grid     any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; };
layout(std430, binding = 0) readonly buffer P { float p[]; };
layout(std430, binding = 1) buffer Dx { float dx[]; };

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        float sum = 0;
        for (uint i = lane; i < cols; i += LANES) {
            sum += p[first + i] * dx[first + i];
        }
        sum = tree_sum(sum);
        for (uint i = lane; i < cols; i += LANES) {
            dx[first + i] = p[first + i] * (dx[first + i] - sum);
        }
    }
}
