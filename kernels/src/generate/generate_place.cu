// Goes on to a position, or begins at one. Mirrors generate_place.comp; generate/steps.rs is the authority.
//   table     rows * width floats, the cosines and sines of each position
//   position  one word: tokens that the cache holds
//   turns     width floats, those of the position
//   begin     one more than the position to begin at; 0 goes on to the next one
//   grid      one block of 128 threads
extern "C" __global__ void __launch_bounds__(128)
    generate_place(const float* __restrict__ table, unsigned* position, float* __restrict__ turns, unsigned begin,
                   unsigned width, unsigned rows) {
    const unsigned at = begin > 0 ? begin - 1 : *position + 1;
    __syncthreads();  // every thread has read the position before it changes
    const unsigned long long row = at < rows ? at : rows - 1;
    for (unsigned i = threadIdx.x; i < width; i += blockDim.x) turns[i] = table[row * width + i];
    if (threadIdx.x == 0) *position = at;
}
