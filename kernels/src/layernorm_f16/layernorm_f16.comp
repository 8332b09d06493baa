// prelude: half/sum.glsl
// y = (x - mean) / sqrt(mean((x - mean)^2) + 1e-5) * w + b in f16 with f32 inside, one workgroup per row. Mirrors
// layernorm_f16.cu; reference.rs is the authority.
//   x, y   rows * cols halves, row-major, two to a word
//   w, b   cols halves
//   cols   > 0, any; where 8 divides it, rows are read and written 16 bytes at a time
//   share  1 / cols
//   grid   any number of workgroups of 256 invocations, 1 KiB of shared memory: workgroups stride over the rows
// Lane t takes vectors, or columns, t, t + 256, ...; the 256 partials are added in a fixed tree, so the result does not
// depend on subgroups. Where rows share words, halves are written by atomics.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; float share; };
layout(std430, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, binding = 0) readonly buffer X1 { uint x1[]; };
layout(std430, binding = 1) readonly buffer W4 { uvec4 w4[]; };
layout(std430, binding = 1) readonly buffer W1 { uint w1[]; };
layout(std430, binding = 2) readonly buffer B4 { uvec4 b4[]; };
layout(std430, binding = 2) readonly buffer B1 { uint b1[]; };
layout(std430, binding = 3) buffer Y4 { uvec4 y4[]; };
layout(std430, binding = 3) buffer Y1 { uint y1[]; };

const float EPSILON = 1e-5;

float sum_of_pair(uint x) {
    vec2 v = unpackHalf2x16(x);
    return v.x + v.y;
}

float squares_of_pair(uint x, float mean) {
    vec2 v = unpackHalf2x16(x) - mean;
    return v.x * v.x + v.y * v.y;
}

uint normal_pair(uint x, uint w, uint b, float mean, float scale) {
    return narrow2((unpackHalf2x16(x) - mean) * scale * unpackHalf2x16(w) + unpackHalf2x16(b));
}

void wide_row(uint lane, uint row) {
    uint vectors = cols / 8;
    uint first = row * vectors;
    float sum = 0;
    for (uint i = lane; i < vectors; i += LANES) {
        uvec4 v = x4[first + i];
        sum += (sum_of_pair(v.x) + sum_of_pair(v.y)) + (sum_of_pair(v.z) + sum_of_pair(v.w));
    }
    precise float mean = tree_sum(sum) * share;
    float squares = 0;
    for (uint i = lane; i < vectors; i += LANES) {
        uvec4 v = x4[first + i];
        squares += (squares_of_pair(v.x, mean) + squares_of_pair(v.y, mean)) +
                   (squares_of_pair(v.z, mean) + squares_of_pair(v.w, mean));
    }
    float scale = 1 / sqrt(tree_sum(squares) * share + EPSILON);
    for (uint i = lane; i < vectors; i += LANES) {
        uvec4 v = x4[first + i], u = w4[i], t = b4[i];
        y4[first + i] = uvec4(normal_pair(v.x, u.x, t.x, mean, scale), normal_pair(v.y, u.y, t.y, mean, scale),
                              normal_pair(v.z, u.z, t.z, mean, scale), normal_pair(v.w, u.w, t.w, mean, scale));
    }
}

float x_at(uint index) {
    return half_at(x1[index / 2], index);
}

void narrow_row(uint lane, uint row) {
    uint first = row * cols;
    float sum = 0;
    for (uint col = lane; col < cols; col += LANES) {
        sum += x_at(first + col);
    }
    // Not fused with the differences below: a row of one column has exactly its mean.
    precise float mean = tree_sum(sum) * share;
    float squares = 0;
    for (uint col = lane; col < cols; col += LANES) {
        float rest = x_at(first + col) - mean;
        squares += rest * rest;
    }
    float scale = 1 / sqrt(tree_sum(squares) * share + EPSILON);
    for (uint col = lane; col < cols; col += LANES) {
        float weight = half_at(w1[col / 2], col);
        float bias = half_at(b1[col / 2], col);
        STORE_HALF(y1, first + col, narrow((x_at(first + col) - mean) * scale * weight + bias))
    }
}

void main() {
    for (uint row = gl_WorkGroupID.x; row < rows; row += gl_NumWorkGroups.x) {
        if (cols % 8 == 0) {
            wide_row(gl_LocalInvocationIndex, row);
        } else {
            narrow_row(gl_LocalInvocationIndex, row);
        }
    }
}
