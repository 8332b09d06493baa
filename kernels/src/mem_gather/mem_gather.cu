// Entry r of y is entry indices[r] of the table. Mirrors mem_gather.comp; reference.rs is the authority.
//   table, y  entries of 32 bytes, on 16 bytes: two neighbouring threads copy one, and so one sector is one request
//   indices   halves / 2 words
//   halves    entries of y, times two
//   grid      any number of blocks of any size: threads stride over the halves

extern "C" __global__ void mem_gather(const uint4* __restrict__ table, const unsigned* __restrict__ indices,
                                      uint4* __restrict__ y, unsigned halves) {
    const unsigned long long first = static_cast<unsigned long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const unsigned long long stride = static_cast<unsigned long long>(gridDim.x) * blockDim.x;
#pragma unroll 4
    for (unsigned long long i = first; i < halves; i += stride) {
        y[i] = table[2 * static_cast<unsigned long long>(indices[i / 2]) + i % 2];
    }
}
