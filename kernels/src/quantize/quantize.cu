// prelude: half/half.cuh
// Halves to signed bytes in blocks of 32 with a scale each: the half nearest to the largest |x| / 127, and the integers
// nearest to x / scale, ties to even. Mirrors quantize.comp; quantize.rs is the authority.
//   x       32 * blocks halves, aligned to 16 bytes
//   y       32 * blocks bytes, aligned to 16 bytes
//   scales  blocks halves
//   grid    any number of thread blocks of any size: threads stride over blocks

static __device__ float largest(float most, unsigned pair) {
    const float2 v = widen2(pair);
    return fmaxf(most, fmaxf(fabsf(v.x), fabsf(v.y)));
}

// The integer nearest to x / scale, from one that is next to it at most. Products and differences are exact: a scale has
// eleven bits and the integer seven.
static __device__ int nearest(float x, float scale, float inverse) {
    int q = __float2int_rn(x * inverse);
    const float twice = 2.0f * (x - static_cast<float>(q) * scale);
    if (twice > scale || (twice == scale && (q & 1))) q++;
    if (-twice > scale || (-twice == scale && (q & 1))) q--;
    return q < -127 ? -127 : q > 127 ? 127 : q;
}

static __device__ unsigned four(unsigned low, unsigned high, float scale, float inverse) {
    const float2 a = widen2(low), b = widen2(high);
    return (nearest(a.x, scale, inverse) & 255) | (nearest(a.y, scale, inverse) & 255) << 8 |
           (nearest(b.x, scale, inverse) & 255) << 16 | static_cast<unsigned>(nearest(b.y, scale, inverse)) << 24;
}

extern "C" __global__ void quantize(const uint4* __restrict__ x, uint4* __restrict__ y, unsigned short* __restrict__ scales,
                                    unsigned blocks) {
    const unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    for (unsigned block = first; block < blocks; block += stride) {
        uint4 v[4];
        float most = 0.0f;
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            v[i] = x[4 * block + i];
            most = largest(largest(largest(largest(most, v[i].x), v[i].y), v[i].z), v[i].w);
        }
        const unsigned bits = narrow(most * (1.0f / 127.0f));
        const float scale = widen(bits), inverse = bits == 0 ? 0.0f : 1.0f / scale;
        scales[block] = bits;
#pragma unroll
        for (unsigned i = 0; i < 4; i += 2) {
            y[2 * block + i / 2] =
                bits == 0 ? make_uint4(0, 0, 0, 0)
                          : make_uint4(four(v[i].x, v[i].y, scale, inverse), four(v[i].z, v[i].w, scale, inverse),
                                       four(v[i + 1].x, v[i + 1].y, scale, inverse), four(v[i + 1].z, v[i + 1].w, scale, inverse));
        }
    }
}
