// prelude: llm_exact/exact.glsl
// Root-mean-square normalization of rows, of x or of x + a. Mirrors llm_exact_norm.cu.
//   x, a, both, y  rows * cols floats, row-major; a is read and both = x + a is written only where plus is 1
//   w              cols floats
//   share          reciprocal(cols), from the host
//   grid           any number of workgroups of 256 invocations: workgroups stride over the rows
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; float share; uint plus; };
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) readonly buffer A { float a[]; };
layout(std430, binding = 2) readonly buffer W { float w[]; };
layout(std430, binding = 3) buffer Both { float both[]; };
layout(std430, binding = 4) writeonly buffer Y { float y[]; };

void main() {
    uint lane = gl_LocalInvocationIndex;
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        uint first = row * cols;
        precise float sum = 0.0;
        for (uint col = lane; col < cols; col += LANES) {
            precise float value = x[first + col];
            if (plus == 1) {
                value = value + a[first + col];
                both[first + col] = value;
            }
            float t = trim(value);
            precise float square = t * t;
            sum = sum + square;
        }
        precise float mean = tree_sum(lane, sum) * share;
        mean = mean + 1e-5;
        float factor = inverse_root(mean);
        for (uint col = lane; col < cols; col += LANES) {
            float t = trim(plus == 1 ? both[first + col] : x[first + col]);
            precise float scaled = t * factor;
            scaled = scaled * w[col];
            y[first + col] = trim(scaled);
        }
    }
}
