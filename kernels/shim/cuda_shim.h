// Runs unmodified CUDA sources on the CPU, to check them where no GPU is: g++ includes this before each .cu file.
//
// A block's threads are fibres that run one after the other, a warp up to the next barrier before the next warp; blocks follow
// each other.
// `shim_launch` takes the order of the threads, so that a missing barrier shows as a difference between two orders.
// Noticed as errors: a thread that misses a barrier others wait at, threads at different barriers, memory accesses
// outside of the buffers (their neighbouring pages are guarded). Shared memory holds NaN when a block begins.
// Not noticed: misaligned vectors, races between blocks, and anything about speed.

#pragma once

#define CUDA_SHIM 1

#include <csetjmp>
#include <csignal>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ucontext.h>

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(8) uint2 { unsigned x, y; };
struct uint3 { unsigned x, y, z; };

// Parameters as wide as CUDA's own, so that a narrowing argument means the same here.
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

#define __global__
#define __device__
#define __constant__ static
#define __host__
#define __launch_bounds__(...)
// One section holds all shared variables, so that every block can find them filled with NaN.
#define __shared__ static __attribute__((section("shim_shared")))

namespace shim {

constexpr unsigned MAX_THREADS = 1024, WARP = 32, MAX_ARGUMENTS = 16;
constexpr std::size_t STACK_BYTES = 64 << 10;

enum class State { Ready, AtBarrier, AtWarp, Done };

struct Copy {
    void* to;
    const void* from;
    unsigned bytes, group;
};

struct Fibre {
    ucontext_t entry;
    jmp_buf paused;
    bool begun;
    State state;
    uint3 index;
    unsigned line;
    std::uint64_t lane_value;
    // What this lane brought to the last two matrix products: four words of A and two of B.
    unsigned fragment[2][6];
    unsigned products;
    // Copies that it began and has not waited for, and how many groups of them it closed.
    Copy copies[64];
    unsigned copying, groups;
    alignas(16) char stack[STACK_BYTES];
};

struct Launch {
    void* kernel;
    std::uint64_t arguments[MAX_ARGUMENTS];
    uint3 grid, block, block_index;
    unsigned threads, current;
    bool descending;
    jmp_buf scheduler;
    sigjmp_buf escape;
    char error[256];
};

static Fibre* fibres;
static Launch launch;
static thread_local volatile std::sig_atomic_t running;

static inline Fibre& self() { return fibres[launch.current]; }

// Contexts only give a fibre its stack: switching by them would enter the kernel of the system every time.
static void wait(State state, unsigned line) {
    self().state = state;
    self().line = line;
    if (_setjmp(self().paused) == 0) _longjmp(launch.scheduler, 1);
}

__attribute__((noinline)) static void resume(Fibre& thread) {
    if (_setjmp(launch.scheduler)) return;
    if (thread.begun) _longjmp(thread.paused, 1);
    thread.begun = true;
    setcontext(&thread.entry);
}

static inline void barrier(unsigned line) { wait(State::AtBarrier, line); }

// The value that lane `source` of this thread's warp brought to the same exchange; its own where there is no such lane.
template <class T>
static inline T exchange(T mine, unsigned source, unsigned line) {
    static_assert(sizeof(T) <= sizeof(std::uint64_t));
    std::memcpy(&self().lane_value, &mine, sizeof(T));
    wait(State::AtWarp, line);
    const unsigned from = launch.current / WARP * WARP + source;
    T theirs;
    std::memcpy(&theirs, &fibres[source < WARP && from < launch.threads ? from : launch.current].lane_value, sizeof(T));
    wait(State::AtWarp, line);  // everyone has read before anyone brings the next value
    return theirs;
}

static void thread_body() {
    using Word = std::uint64_t;
    using Kernel = void (*)(Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word);
    const std::uint64_t* a = launch.arguments;
    // Pointers and `unsigned`s each fill one register or stack slot, and a callee ignores those it does not name.
    reinterpret_cast<Kernel>(launch.kernel)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
                                                   a[12], a[13], a[14], a[15]);
    wait(State::Done, 0);
}

static void on_fault(int signal, siginfo_t* fault, void*) {
    if (!running) {
        std::signal(signal, SIG_DFL);  // not ours: let it happen again, fatally
        return;
    }
    const Fibre& thread = self();
    std::snprintf(launch.error, sizeof launch.error,
                  "block (%u, %u, %u), thread (%u, %u, %u) reads or writes outside of its buffers at 0x%llx",
                  launch.block_index.x, launch.block_index.y, launch.block_index.z, thread.index.x, thread.index.y,
                  thread.index.z, static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(fault->si_addr)));
    siglongjmp(launch.escape, 1);
}

// Runs every thread of [first, last) that can, in ascending or descending order. False when none could.
static bool pass(unsigned first, unsigned last, bool descending) {
    bool ran = false;
    for (unsigned i = first; i < last; i++) {
        launch.current = descending ? last - 1 - (i - first) : i;
        if (self().state == State::Ready) {
            resume(self());
            ran = true;
        }
    }
    return ran;
}

// Releases the threads [first, last) if all that are left wait in `state`, at one line.
static bool release(State state, unsigned first, unsigned last) {
    unsigned waiting = 0, done = 0, line = 0;
    for (unsigned i = first; i < last; i++) {
        const Fibre& thread = fibres[i];
        done += thread.state == State::Done;
        if (thread.state != state) continue;
        if (waiting++ && thread.line != line) return false;
        line = thread.line;
    }
    if (waiting == 0 || waiting + (state == State::AtWarp ? done : 0) < last - first) return false;
    for (unsigned i = first; i < last; i++) {
        if (fibres[i].state == state) fibres[i].state = State::Ready;
    }
    return true;
}

static bool describe_deadlock() {
    unsigned waiting = launch.threads, done = 0;
    for (unsigned i = 0; i < launch.threads; i++) {
        if (fibres[i].state == State::Done) done++;
        else if (waiting == launch.threads) waiting = i;
    }
    if (waiting == launch.threads) return false;
    std::snprintf(launch.error, sizeof launch.error,
                  "block (%u, %u, %u): thread %u waits at line %u, but not all of its block come there (%u of %u have ended)",
                  launch.block_index.x, launch.block_index.y, launch.block_index.z, waiting, fibres[waiting].line, done,
                  launch.threads);
    return true;
}

extern "C" char __start_shim_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_shim_shared[] __attribute__((weak, visibility("hidden")));

static bool run_block(bool descending) {
    if (__start_shim_shared) std::memset(__start_shim_shared, 0xFF, __stop_shim_shared - __start_shim_shared);
    for (unsigned i = 0; i < launch.threads; i++) {
        Fibre& thread = fibres[i];
        thread.state = State::Ready;
        thread.begun = false;
        thread.products = thread.copying = thread.groups = 0;
        thread.index = {i % launch.block.x, i / launch.block.x % launch.block.y, i / launch.block.x / launch.block.y};
        getcontext(&thread.entry);
        thread.entry.uc_stack.ss_sp = thread.stack;
        thread.entry.uc_stack.ss_size = STACK_BYTES;
        thread.entry.uc_link = nullptr;
        makecontext(&thread.entry, thread_body, 0);
    }
    const unsigned warps = (launch.threads + WARP - 1) / WARP;
    for (bool released = true; released;) {
        // A warp runs as far as it can before the next one does: what no barrier orders may happen so.
        for (unsigned i = 0; i < warps; i++) {
            const unsigned first = (descending ? warps - 1 - i : i) * WARP;
            const unsigned last = first + WARP < launch.threads ? first + WARP : launch.threads;
            while (pass(first, last, descending)) release(State::AtWarp, first, last);
        }
        released = release(State::AtBarrier, 0, launch.threads);
    }
    return !describe_deadlock();
}

static bool run_grid(bool descending) {
    for (unsigned z = 0; z < launch.grid.z; z++)
        for (unsigned y = 0; y < launch.grid.y; y++)
            for (unsigned x = 0; x < launch.grid.x; x++) {
                launch.block_index = {x, y, z};
                if (!run_block(descending)) return false;
            }
    return true;
}

}  // namespace shim

// Runs `kernel` over the grid. Arguments are pointers and unsigned words, at most 16. Returns null, or what went wrong.
// One launch at a time.
extern "C" const char* shim_launch(void* kernel, const unsigned* grid, const unsigned* block,
                                   const std::uint64_t* arguments, unsigned count, int descending) {
    using namespace shim;
    launch.kernel = kernel;
    launch.grid = {grid[0], grid[1], grid[2]};
    launch.block = {block[0], block[1], block[2]};
    launch.threads = block[0] * block[1] * block[2];
    launch.descending = descending != 0;
    launch.error[0] = 0;
    if (launch.threads == 0 || launch.threads > MAX_THREADS || count > MAX_ARGUMENTS) {
        return "a block of 1 to 1024 threads, 16 arguments";
    }
    for (unsigned i = 0; i < count; i++) launch.arguments[i] = arguments[i];
    if (!fibres) fibres = new Fibre[MAX_THREADS];

    struct sigaction ours = {}, segv, bus;
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &ours, &segv);
    sigaction(SIGBUS, &ours, &bus);
    if (sigsetjmp(launch.escape, 1) == 0) {
        running = 1;
        run_grid(launch.descending);
    }
    running = 0;
    sigaction(SIGSEGV, &segv, nullptr);
    sigaction(SIGBUS, &bus, nullptr);
    return launch.error[0] ? launch.error : nullptr;
}

#define threadIdx (shim::self().index)
#define blockIdx (shim::launch.block_index)
#define blockDim (shim::launch.block)
#define gridDim (shim::launch.grid)
#define __syncthreads() shim::barrier(__LINE__)
#define __shfl_xor_sync(mask, value, lanes) shim::exchange(value, (shim::launch.current % shim::WARP) ^ (lanes), __LINE__)
#define __shfl_down_sync(mask, value, lanes) shim::exchange(value, shim::launch.current % shim::WARP + (lanes), __LINE__)

// As much as any device gives, filled with NaN as the rest.
#define DYNAMIC_SHARED(type, name) \
    static __attribute__((section("shim_shared"), aligned(16))) type name[(227 << 10) / sizeof(type)]

// Threads run one after the other.
static inline unsigned atomicAdd(unsigned* sum, unsigned more) {
    const unsigned before = *sum;
    *sum += more;
    return before;
}

static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }

static inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int __float2int_rn(float value) { return static_cast<int>(std::nearbyint(value)); }

static inline int __float_as_int(float value) { return static_cast<int>(__float_as_uint(value)); }
static inline float __int_as_float(int bits) { return __uint_as_float(static_cast<unsigned>(bits)); }

// Twins of what the sources write in PTX where CUDA_SHIM is not defined.

// cvt.f32.f16
[[maybe_unused]] static float widen(unsigned short half) {
    const unsigned sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 0x3FFu;
    if (exponent == 31) return __uint_as_float(sign | 0x7F800000u | fraction << 13);
    if (exponent) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
    const float subnormal = static_cast<float>(fraction) * 0x1p-24f;
    return __uint_as_float(sign | __float_as_uint(subnormal));
}

// dp4a.s32.s32, modulo 2^32 as the instruction
[[maybe_unused]] static int dot4(int a, int b, int sum) {
    unsigned total = static_cast<unsigned>(sum);
    for (int i = 0; i < 4; i++) {
        const int p = static_cast<std::int8_t>(static_cast<unsigned>(a) >> 8 * i);
        const int q = static_cast<std::int8_t>(static_cast<unsigned>(b) >> 8 * i);
        total += static_cast<unsigned>(p * q);
    }
    return static_cast<int>(total);
}
