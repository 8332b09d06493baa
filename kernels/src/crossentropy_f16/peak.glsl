// prelude: half/half.glsl
// What a softmax of a row of logits is made from, by a workgroup of 256 invocations. Mirrors peak.cuh.

const uint LANES = 256;

// The largest of some logits, and the sum of their exponentials relative to it.
shared vec2 partial[LANES];

vec2 joined(vec2 a, vec2 b) {
    float top = max(a.x, b.x);
    return vec2(top, a.y * exp(a.x - top) + b.y * exp(b.x - top));
}

vec2 peak(uint lane, vec2 mine) {
    partial[lane] = mine;
    barrier();
    for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
        if (lane < half_width) {
            partial[lane] = joined(partial[lane], partial[lane + half_width]);
        }
        barrier();
    }
    vec2 result = partial[0];
    barrier();  // every lane has read partial[0] before it is overwritten
    return result;
}

