// dw = sum over the rows of dy * x * scale: the gradient of a norm's weights. Mirrors train_block_f32_norm_weight.cu.
//   dy, x    rows * cols floats, row-major
//   scale    rows floats, from the forward pass
//   dw       cols floats
//   grid     ceil(cols / 32) workgroups of 256 invocations, 1 KiB of shared memory
// Eight invocations share a column: each takes every eighth row.
#version 450
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint rows, cols; };
layout(std430, binding = 0) readonly buffer Dy { float dy[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) readonly buffer Scale { float scale[]; };
layout(std430, binding = 3) writeonly buffer Dw { float dw[]; };

const uint COLS = 32;
const uint PARTS = 8;
shared float partial[PARTS * COLS];

void main() {
    uint lane = gl_LocalInvocationIndex % COLS;
    uint part = gl_LocalInvocationIndex / COLS;
    uint col = gl_WorkGroupID.x * COLS + lane;
    float sum = 0;
    for (uint row = part; row < rows && col < cols; row += PARTS) {
        sum += dy[row * cols + col] * (x[row * cols + col] * scale[row]);
    }
    partial[gl_LocalInvocationIndex] = sum;
    barrier();
    if (part == 0 && col < cols) {
        float total = 0;
        for (uint other = 0; other < PARTS; ++other) {
            total += partial[other * COLS + lane];
        }
        dw[col] = total;
    }
}
