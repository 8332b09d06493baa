// prelude: half/sum.glsl
// y = (x - mean) / sqrt(mean((x - mean)^2) + 1e-6) * (1 + scale) + shift by rows, f16 in and out, f32 between. Mirrors
// modulate.cu.
//   x, y     rows * cols halves, row-major; 8 divides cols
//   vectors  six vectors of cols halves for each sample: number `shift` is the shift, the next the scale, each plus its bias
//   bias     six vectors of cols halves
//   tokens   rows of one sample
//   share    1 / cols
//   grid     any number of workgroups of 256 invocations: workgroups stride over the rows; 1 KiB of shared memory
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols, tokens, shift; float share; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) readonly buffer Vectors { uvec4 vectors[]; };
layout(std430, binding = 2) readonly buffer Bias { uvec4 bias[]; };
layout(std430, binding = 3) writeonly buffer Y { uvec4 y[]; };

float sum_of_pair(uint pair) {
    vec2 v = unpackHalf2x16(pair);
    return v.x + v.y;
}

float squares_of_pair(uint pair, float mean) {
    vec2 v = unpackHalf2x16(pair) - mean;
    return v.x * v.x + v.y * v.y;
}

vec2 sum_of_pairs(uint a, uint b) {
    return unpackHalf2x16(a) + unpackHalf2x16(b);
}

uint modulated_pair(uint pair, vec2 shift_pair, vec2 scale_pair, float mean, float normal) {
    return narrow2((unpackHalf2x16(pair) - mean) * normal * (1 + scale_pair) + shift_pair);
}

void main() {
    uint lane = gl_LocalInvocationIndex, width = cols / 8;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * width;
        float sum = 0;
        for (uint i = lane; i < width; i += LANES) {
            uvec4 v = x[first + i];
            sum += (sum_of_pair(v.x) + sum_of_pair(v.y)) + (sum_of_pair(v.z) + sum_of_pair(v.w));
        }
        float mean = tree_sum(sum) * share;
        float squares = 0;
        for (uint i = lane; i < width; i += LANES) {
            uvec4 v = x[first + i];
            squares += (squares_of_pair(v.x, mean) + squares_of_pair(v.y, mean)) +
                       (squares_of_pair(v.z, mean) + squares_of_pair(v.w, mean));
        }
        float normal = 1 / sqrt(tree_sum(squares) * share + 1e-6);
        uint shifts = (row / tokens * 6 + shift) * width, biases = shift * width;
        for (uint i = lane; i < width; i += LANES) {
            uvec4 v = x[first + i], h = vectors[shifts + i], c = vectors[shifts + width + i];
            uvec4 hb = bias[biases + i], cb = bias[biases + width + i], to;
            [[unroll]] for (uint p = 0; p < 4; ++p) {
                to[p] = modulated_pair(v[p], sum_of_pairs(h[p], hb[p]), sum_of_pairs(c[p], cb[p]), mean, normal);
            }
            y[first + i] = to;
        }
    }
}
