// Row softmax: y = exp(x - max) / sum of exp(x - max), one workgroup per row. Mirrors softmax_f32.cu; reference.rs is
// the authority.
//   x, y   rows * cols floats, row-major
//   cols   > 0, any
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
// Lane t takes columns t, t + 256, ...; the 256 partials are combined in a fixed tree, so the result does not depend
// on subgroups.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; };
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { float y[]; };

const uint LANES = 256;
shared float partial[LANES];

float largest(uint lane, float mine) {
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            partial[lane] = max(partial[lane], partial[lane + half_width]);
        }
        barrier();
    }
    float result = partial[0];
    barrier();  // every lane has read partial[0] before it is overwritten
    return result;
}

float total(uint lane, float mine) {
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            partial[lane] += partial[lane + half_width];
        }
        barrier();
    }
    float result = partial[0];
    barrier();  // every lane has read partial[0] before it is overwritten
    return result;
}

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        float high = uintBitsToFloat(0xFF800000u);
        for (uint col = lane; col < cols; col += LANES) {
            high = max(high, x[first + col]);
        }
        high = largest(lane, high);
        float sum = 0;
        for (uint col = lane; col < cols; col += LANES) {
            sum += exp(x[first + col] - high);
        }
        sum = total(lane, sum);
        for (uint col = lane; col < cols; col += LANES) {
            y[first + col] = exp(x[first + col] - high) / sum;
        }
    }
}
