// prelude: half/half.glsl
// y = W x in f16 with f32 sums for any number of columns. Mirrors gemv_f16.cu; reference.rs is
// the authority.
//   w      n * k halves, row-major, two to a word
//   x      k halves
//   y      n floats
//   n * k  below 2^32
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: eight rows a workgroup, 32 lanes a row;
//          workgroups stride over the rows
// Lane t takes columns t, t + 32, ...; the 32 sums are added in a fixed tree, so the
// result does not depend on subgroups.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint n, k; };
layout(std430, binding = 0) readonly buffer W { uint w[]; };
layout(std430, binding = 1) readonly buffer X { uint x[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };

const uint ROWS = 8;
shared float partial[256];

float sum_of(uint row, uint lane) {
    float sum = 0;
    for (uint i = lane; i < k; i += 32) {
        uint at = row * k + i;
        sum += half_at(w[at / 2], at) * half_at(x[i / 2], i);
    }
    return sum;
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
