// y = W x in f16 with f32 sums for whole vectors of eight halves. Mirrors gemv_f16.cu; reference.rs is
// the authority.
//   w      n * k halves, row-major, eight to a vector
//   x      k halves
//   y      n floats
//   n * k  below 2^32
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: eight rows a workgroup, 32 lanes a row;
//          workgroups stride over the rows
// Lane t takes vectors t, t + 32, ... into eight sums; the 32 sums are added in a fixed tree, so the
// result does not depend on subgroups.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n, k; };
layout(std430, binding = 0) readonly buffer W { uvec4 w[]; };
layout(std430, binding = 1) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };

const uint ROWS = 8;
shared float partial[256];

vec4 four(uint low, uint high) {
    return vec4(unpackHalf2x16(low), unpackHalf2x16(high));
}

float sum_of(uint row, uint lane) {
    vec4 low = vec4(0), high = vec4(0);
    uint vectors = k / 8, start = row * vectors;
    for (uint i = lane; i < vectors; i += 32) {
        uvec4 a = w[start + i], b = x[i];
        low += four(a.x, a.y) * four(b.x, b.y);
        high += four(a.z, a.w) * four(b.z, b.w);
    }
    return ((low.x + low.y) + (low.z + low.w)) + ((high.x + high.y) + (high.z + high.w));
}

void main() {
    uint lane = gl_LocalInvocationIndex % 32, slot = gl_LocalInvocationIndex / 32;
    for (uint first = gl_WorkGroupID.x * ROWS; first < n; first += gl_NumWorkGroups.x * ROWS) {
        // Lanes past the last row repeat it.
        partial[gl_LocalInvocationIndex] = sum_of(min(first + slot, n - 1), lane);
        barrier();
        for (uint other = 16; other > 0; other /= 2) {
            if (lane < other) {
                partial[gl_LocalInvocationIndex] += partial[gl_LocalInvocationIndex + other];
            }
            barrier();
        }
        if (lane == 0 && first + slot < n) {
            y[first + slot] = partial[gl_LocalInvocationIndex];
        }
        barrier();  // every row has been stored before the next ones overwrite the sums
    }
}
