// prelude: crossentropy_f16/peak.cuh
// Cross-entropy of rows of logits, in whose place its gradient stands: x becomes softmax(x) - onehot(label). Mirrors
// train_step_loss.comp.
//   labels   rows words below vocab
//   loss     rows floats: ln(sum(exp(x))) - x[label]
//   x        rows * vocab floats, row-major; 16-byte vectors where 4 divides vocab and x is aligned
//   grid     any number of blocks of 256 threads: blocks stride over the rows; 2 KiB of shared memory

struct Row {
    float top, share;
    unsigned label;

    __device__ float gradient(float x, unsigned col) const {
        return expf(x - top) * share - (col == label ? 1.0f : 0.0f);
    }
};

extern "C" __global__ void __launch_bounds__(LANES)
    train_step_loss(const unsigned* __restrict__ labels, float* __restrict__ loss, float* x, unsigned rows,
                    unsigned vocab) {
    __shared__ Peak partial[LANES];
    const unsigned vectors = vocab % 4 == 0 && (reinterpret_cast<unsigned long long>(x) & 15) == 0 ? vocab / 4 : 0;
    const unsigned tail = 4 * vectors + threadIdx.x;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x) {
        float* one = x + static_cast<unsigned long long>(row) * vocab;
        float4* four = reinterpret_cast<float4*>(one);
        const unsigned label = labels[row];
        const float own = one[label];  // before the tree's barriers, after which it is overwritten

        Peak mine = {-3.402823466e38f, 0.0f};  // no float is lower; -infinity less itself would be NaN
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const float4 v = four[i];
            const float quad[4] = {v.x, v.y, v.z, v.w};
            mine.add(quad);
        }
        for (unsigned i = tail; i < vocab; i += LANES) {
            const float single[1] = {one[i]};
            mine.add(single);
        }
        const Peak all = tree(partial, mine);
        const Row sums = {all.top, 1.0f / all.sum, label};
        for (unsigned i = threadIdx.x; i < vectors; i += LANES) {
            const float4 v = four[i];
            four[i] = make_float4(sums.gradient(v.x, 4 * i), sums.gradient(v.y, 4 * i + 1),
                                  sums.gradient(v.z, 4 * i + 2), sums.gradient(v.w, 4 * i + 3));
        }
        for (unsigned i = tail; i < vocab; i += LANES) one[i] = sums.gradient(one[i], i);
        if (threadIdx.x == 0) loss[row] = logf(all.sum) + (all.top - own);
    }
}
