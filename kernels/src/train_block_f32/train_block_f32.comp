// prelude: half/sum.glsl
// Causal softmax by rows, in place, one workgroup per row: row i of a head's matrix keeps its first i + 1 columns, the
// others become zero. Mirrors train_block_f32.cu.
//   x        rows * tokens floats, row-major; rows is a multiple of tokens
//   grid     any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, tokens; };
layout(std430, binding = 0) buffer X { float x[]; };

float tree_max(float mine) {
    uint lane = gl_LocalInvocationIndex;
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            partial[lane] = max(partial[lane], partial[lane + half_width]);
        }
        barrier();
    }
    float top = partial[0];
    barrier();  // every invocation has read it before the sum overwrites it
    return top;
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * tokens;
        uint seen = row % tokens + 1;
        float top = uintBitsToFloat(0xFF800000u);
        for (uint i = lane; i < seen; i += LANES) {
            top = max(top, x[first + i]);
        }
        top = tree_max(top);
        float sum = 0;
        for (uint i = lane; i < seen; i += LANES) {
            sum += exp(x[first + i] - top);
        }
        float share = 1 / tree_sum(sum);
        for (uint i = lane; i < tokens; i += LANES) {
            x[first + i] = i < seen ? exp(x[first + i] - top) * share : 0;
        }
    }
}
