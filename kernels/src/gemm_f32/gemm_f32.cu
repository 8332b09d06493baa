// prelude: product/tile.cuh
// C = A * transpose(B) in f32. Mirrors gemm_f32.comp.
extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_f32(const unsigned* __restrict__ a, const unsigned* __restrict__ b, unsigned* __restrict__ c, unsigned m,
             unsigned n, unsigned k) {
    __shared__ Tiles<STEP_OF<F32>> tiles;
    product<F32, F32>(a, b, c, m, n, k, tiles);
}
