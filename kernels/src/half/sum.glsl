// prelude: half/half.glsl
// The sum of one float of each of a workgroup's 256 invocations. Mirrors sum.cuh.

const uint LANES = 256;
shared float partial[LANES];

// In a fixed tree, so that it does not depend on subgroups; every invocation gets it.
float tree_sum(float mine) {
    uint lane = gl_LocalInvocationIndex;
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            partial[lane] += partial[lane + half_width];
        }
        barrier();
    }
    float sum = partial[0];
    barrier();  // every invocation has read the sum before the next one overwrites it
    return sum;
}

