// Keys and values of a new token into the cache, at the position. Mirrors generate_append.comp; generate/steps.rs is the
// authority.
//   k, v            layers * stride vectors of eight halves, of which a layer's first `keys` are its token's
//   position        one word: tokens that the cache holds, below room
//   kcache, vcache  layers * room * keys vectors
//   grid            any number of blocks of any size: threads stride over the vectors
extern "C" __global__ void generate_append(const uint4* __restrict__ k, const uint4* __restrict__ v,
                                           const unsigned* __restrict__ position, uint4* __restrict__ kcache,
                                           uint4* __restrict__ vcache, unsigned layers, unsigned keys, unsigned stride,
                                           unsigned room) {
    const unsigned long long at = *position;
    if (at >= room) return;
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < layers * keys; i += gridDim.x * blockDim.x) {
        const unsigned layer = i / keys, vector = i % keys, from = layer * stride + vector;
        const unsigned long long to = (static_cast<unsigned long long>(layer) * room + at) * keys + vector;
        kcache[to] = k[from];
        vcache[to] = v[from];
    }
}
