// prelude: half/half.glsl
// y = x + (gate + its bias) * branch, f16 in and out, f32 between. Mirrors gated.cu.
//   x, branch, y  rows * cols halves, row-major; 8 divides cols
//   vectors       six vectors of cols halves for each sample, of which `gate` is the index of the one
//   bias          six vectors of cols halves
//   tokens        rows of one sample
//   grid          any number of workgroups: invocations stride over vectors of eight
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols, tokens, gate; };
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) readonly buffer Branch { uvec4 branch[]; };
layout(std430, binding = 2) readonly buffer Vectors { uvec4 vectors[]; };
layout(std430, binding = 3) readonly buffer Bias { uvec4 bias[]; };
layout(std430, binding = 4) writeonly buffer Y { uvec4 y[]; };

uint gated_pair(uint x_pair, uint branch_pair, uint gate_pair, uint bias_pair) {
    vec2 g = unpackHalf2x16(gate_pair) + unpackHalf2x16(bias_pair);
    return narrow2(unpackHalf2x16(x_pair) + g * unpackHalf2x16(branch_pair));
}

void main() {
    uint width = cols / 8;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < rows * width; i += stride) {
        uint row = i / width, at = gate * width + i % width;
        uvec4 v = x[i], b = branch[i], g = vectors[row / tokens * 6 * width + at], t = bias[at];
        y[i] = uvec4(gated_pair(v.x, b.x, g.x, t.x), gated_pair(v.y, b.y, g.y, t.y),
                     gated_pair(v.z, b.z, g.z, t.z), gated_pair(v.w, b.w, g.w, t.w));
    }
}
