// prelude: half/half.cuh
// Neighbouring halves (a, b) of each head turned to (a cos - b sin, a sin + b cos), f32 between. Mirrors rope_f16.comp;
// reference.rs is the authority.
//   x, y   tokens * heads * width halves, aligned to 4 bytes; 16-byte vectors where all are aligned and 8 divides width
//   turns  tokens * width floats, the cosine and the sine of each pair, aligned to 8 bytes
//   width  even
//   grid   any number of blocks of any size: threads stride over the vectors

static __device__ unsigned turned(unsigned pair, float cosine, float sine) {
    const float2 v = widen2(pair);
    return narrow2(v.x * cosine - v.y * sine, v.x * sine + v.y * cosine);
}

extern "C" __global__ void rope_f16(const unsigned* __restrict__ x, const float2* __restrict__ turns,
                                    unsigned* __restrict__ y, unsigned tokens, unsigned heads, unsigned width) {
    const unsigned first = blockIdx.x * blockDim.x + threadIdx.x, stride = gridDim.x * blockDim.x;
    const unsigned long long bits = reinterpret_cast<unsigned long long>(x) | reinterpret_cast<unsigned long long>(y) |
                                    reinterpret_cast<unsigned long long>(turns);
    if (width % 8 == 0 && (bits & 15) == 0) {
        const uint4* __restrict__ from = reinterpret_cast<const uint4*>(x);
        const float4* __restrict__ wide_turns = reinterpret_cast<const float4*>(turns);
        uint4* __restrict__ to = reinterpret_cast<uint4*>(y);
        const unsigned head = width / 8, token = heads * head;
        for (unsigned i = first; i < tokens * token; i += stride) {
            const unsigned at = 2 * (i / token * head + i % head);
            const uint4 v = from[i];
            const float4 p = wide_turns[at], q = wide_turns[at + 1];
            to[i] = make_uint4(turned(v.x, p.x, p.y), turned(v.y, p.z, p.w), turned(v.z, q.x, q.y), turned(v.w, q.z, q.w));
        }
        return;
    }
    const unsigned head = width / 2, token = heads * head;
    for (unsigned i = first; i < tokens * token; i += stride) {
        const float2 turn = turns[i / token * head + i % head];
        y[i] = turned(x[i], turn.x, turn.y);
    }
}
