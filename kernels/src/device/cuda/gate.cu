// Holds the stream until the host opens it, so that a batch is queued before its first launch begins.
//   flag      one word of host memory, mapped; the gate is open once it reaches `ticket`, modulo 2^32
//   limit_us  opens by itself after that many microseconds: tools that wait for every launch would never open it
//   grid      1 block of 1 thread

static __device__ unsigned long long now_ns() {
    unsigned long long ns;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
    return ns;
}

extern "C" __global__ void gate(const unsigned* flag, unsigned ticket, unsigned limit_us) {
    const volatile unsigned* watched = flag;
    const unsigned long long limit = now_ns() + 1000ull * limit_us;
    while (static_cast<int>(*watched - ticket) < 0 && now_ns() < limit) {
    }
}
