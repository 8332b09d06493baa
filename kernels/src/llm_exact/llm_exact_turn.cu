// prelude: llm_exact/exact.cuh
// Turns queries and keys by their positions, scales queries and trims values, in place. Mirrors llm_exact_turn.comp.
//   z      tokens rows of heads of queries, then kv of keys, then kv of values, width floats each, width even
//   turns  tokens rows of width / 2 cosines and sines
//   scale  bits of rsqrt(width), from the host
//   grid   any number of blocks of 256 threads, which stride over the pairs

extern "C" __global__ void __launch_bounds__(LANES)
    llm_exact_turn(float* __restrict__ z, const float* __restrict__ turns, unsigned tokens, unsigned heads, unsigned kv,
                   unsigned width, unsigned scale) {
    const unsigned head_pairs = width / 2, row_pairs = (heads + 2 * kv) * head_pairs;
    const unsigned stride = gridDim.x * LANES;
    const float factor = __uint_as_float(scale);
    for (unsigned at = blockIdx.x * LANES + threadIdx.x; at < tokens * row_pairs; at += stride) {
        const unsigned place = at % row_pairs, head = place / head_pairs;
        float* pair = z + 2ull * at;
        float left = trim(pair[0]), right = trim(pair[1]);
        if (head < heads + kv) {
            const float* turn = turns + 2ull * (at / row_pairs * head_pairs + place % head_pairs);
            const float a = left, b = right, c = turn[0], s = turn[1];
            left = trim(add(mul(a, c), mul(negated(b), s)));
            right = trim(add(mul(a, s), mul(b, c)));
        }
        if (head < heads) {
            left = trim(mul(left, factor));
            right = trim(mul(right, factor));
        }
        pair[0] = left;
        pair[1] = right;
    }
}
