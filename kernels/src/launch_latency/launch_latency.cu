// y = x + 1. Mirrors launch_latency.comp; reference.rs is the authority.
//   x, y   one number each, or the same one
//   grid   one thread

extern "C" __global__ void launch_latency(const int* x, int* y) {
    y[0] = x[0] + 1;
}
