// prelude: product/tile.cuh
// C = A * transpose(B), bf16 in and out, sums in f32. Mirrors gemm_bf16.comp.
extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_bf16(const unsigned short* __restrict__ a, const unsigned short* __restrict__ b,
              unsigned short* __restrict__ c, unsigned m, unsigned n, unsigned k) {
    __shared__ Tiles<STEP_OF<Bf16>> tiles;
    product<Bf16, Bf16>(a, b, c, m, n, k, tiles);
}
