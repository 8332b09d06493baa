// prelude: dot4/dot4.glsl
// Lanes of an int8 network carried through steps `begin` to `end`, as by proof_mlp_i8.comp, for devices with a packed dot
// product: X'[i][j] is the top byte of 0x9E3779B1 * sum of X[i][k] W[j][k]. Mirrors proof_mlp_i8.cu.
//   weights  layers * (width / 4) * width words: word (l, k, j) holds W_l[j][4 k .. 4 k + 3], zero outside of n * n
//   state    m * n bytes, row-major: X_begin, and after the launch X_end
//   n        a multiple of 16; width is n rounded up to 64, at most 1024
//   grid     workgroups of 256 invocations, 16384 / (width rounded up to a power of two) lanes each, 16 KiB of shared
//            memory
// A workgroup's lanes stay in shared memory. An invocation has four of them and sixteen columns.
layout(local_size_x = 256) in;
layout(push_constant) uniform Sizes { uint m, n, width, layers, begin, end; };
layout(std430, binding = 0) readonly buffer Weights { uvec4 weights[]; };
layout(std430, binding = 1) buffer State { uint state[]; };

const uint CELLS = 16384;

// Word (k, i) of lane i, elements 4 k .. 4 k + 3, four neighbouring lanes to a vector.
shared uvec4 x[CELLS / 16];

// Four sums, mixed, as four bytes.
uint mixed(ivec4 sums) {
    uvec4 top = uvec4(sums) * 0x9E3779B1u >> 24;
    return top.x | top.y << 8 | top.z << 16 | top.w << 24;
}

void main() {
    uint across = 64;
    while (across < width) {
        across *= 2;
    }
    uint lanes = CELLS / across, columns = across / 16, words = n / 4;
    uint first = gl_WorkGroupID.x * lanes;
    for (uint item = gl_LocalInvocationIndex; item < lanes * (width / 4); item += 256) {
        uint k = item % (width / 4), lane = item / (width / 4);
        x[(k * lanes + lane) / 4][lane % 4] = first + lane < m && k < words ? state[(first + lane) * words + k] : 0;
    }
    barrier();

    // Columns 4 * column .. + 3 of each quarter, lanes 4 * quad .. + 3.
    uint column = gl_LocalInvocationIndex % columns, quad = gl_LocalInvocationIndex / columns, quads = lanes / 4;
    for (uint at = begin; at < end; ++at) {
        uint w = at % layers * (width / 4) * (width / 4) + column;
        ivec4 sum[4][4];
        [[unroll]] for (uint part = 0; part < 4; ++part) {
            [[unroll]] for (uint i = 0; i < 4; ++i) {
                sum[part][i] = ivec4(0);
            }
        }
        for (uint k = 0; k < width / 4; ++k, w += width / 4) {
            uvec4 a = x[k * quads + quad];
            [[unroll]] for (uint part = 0; part < 4; ++part) {
                if (column + part * columns < width / 4) {
                    uvec4 b = weights[w + part * columns];
                    [[unroll]] for (uint j = 0; j < 4; ++j) {
                        [[unroll]] for (uint i = 0; i < 4; ++i) {
                            sum[part][i][j] = dot4(a[i], b[j], sum[part][i][j]);
                        }
                    }
                }
            }
        }
        barrier();  // every invocation has read the lanes before they are overwritten
        [[unroll]] for (uint part = 0; part < 4; ++part) {
            if (column + part * columns < width / 4) {
                x[(column + part * columns) * quads + quad] =
                    uvec4(mixed(sum[part][0]), mixed(sum[part][1]), mixed(sum[part][2]), mixed(sum[part][3]));
            }
        }
        barrier();
    }

    for (uint item = gl_LocalInvocationIndex; item < lanes * words; item += 256) {
        uint k = item % words, lane = item / words;
        if (first + lane < m) {
            state[(first + lane) * words + k] = x[(k * lanes + lane) / 4][lane % 4];
        }
    }
}
