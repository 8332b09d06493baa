// A CUDA driver library without a card, for the tests of kernels/src/device/cuda: one device whose kernels are the
// libraries that cuda_shim.h makes of the CUDA sources, found as $FAKE_CUDA_KERNELS/<name>.so.
//
// Calls are queued and run by a thread of their own, in order, as a stream's are, so that a host that reads too early
// or times the wrong span is found out. -DLACKS_... leaves a function out, -DVERSION=11080 makes the driver older,
// -DINIT=100 makes it fail to start.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#ifndef VERSION
#define VERSION 13000
#endif
#ifndef INIT
#define INIT 0
#endif

namespace {

constexpr int SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500, INVALID_HANDLE = 400, LAUNCH_FAILED = 719;
constexpr std::size_t MEMORY = 480ull << 20;
constexpr unsigned DISABLE_TIMING = 2;

using Clock = std::chrono::steady_clock;

class Queue {
  public:
    Queue() {
        std::thread([this] { work(); }).detach();
    }

    void push(std::function<void()> call) {
        std::lock_guard<std::mutex> lock(mutex);
        calls.push_back(std::move(call));
        pushed++;
        changed.notify_all();
    }

    void drain() {
        std::unique_lock<std::mutex> lock(mutex);
        const auto all = pushed;
        changed.wait(lock, [&] { return done >= all; });
    }

  private:
    void work() {
        for (;;) {
            std::unique_lock<std::mutex> lock(mutex);
            changed.wait(lock, [this] { return !calls.empty(); });
            auto call = std::move(calls.front());
            calls.pop_front();
            lock.unlock();
            call();
            lock.lock();
            done++;
            changed.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> calls;
    std::uint64_t pushed = 0, done = 0;
};

Queue& queue() {
    static Queue* queue = new Queue;  // outlives every destructor, as the thread does
    return *queue;
}

struct Event {
    unsigned flags;
    Clock::time_point at;
};

struct Function {
    std::string name;
    std::vector<int> sizes;
    unsigned shared = 48 << 10;
    void* entry = nullptr;
    const char* (*launch)(void*, const unsigned*, const unsigned*, const std::uint64_t*, unsigned, int) = nullptr;
};

std::atomic<int> sticky{SUCCESS};
void* current = nullptr;
std::atomic<std::size_t> allocated{0};
// Page-locked memory: copies from and to it are queued, others wait.
std::set<const void*> locked;

// What gate.cu does, on the host's clock.
void gate(const std::vector<std::uint64_t>& arguments) {
    const auto* flag = reinterpret_cast<const volatile std::uint32_t*>(arguments[0]);
    const auto limit = Clock::now() + std::chrono::microseconds(arguments[2]);
    while (static_cast<int>(*flag - static_cast<std::uint32_t>(arguments[1])) < 0 && Clock::now() < limit) {
        std::this_thread::yield();
    }
}

int allocate(std::uint64_t* address, std::size_t size) {
    if (size == 0) return INVALID_VALUE;
    if (allocated + size > MEMORY) return OUT_OF_MEMORY;
    // The size is kept in front; 256 bytes is the alignment of the real one.
    auto* block = static_cast<std::uint8_t*>(std::aligned_alloc(256, (size + 511) / 256 * 256));
    std::memcpy(block, &size, sizeof size);
    std::memset(block + 256, 0x5A, size < 4096 ? size : 4096);
    allocated += size;
    *address = reinterpret_cast<std::uint64_t>(block + 256);
    return SUCCESS;
}

void release(std::uint64_t address) {
    auto* block = reinterpret_cast<std::uint8_t*>(address) - 256;
    std::size_t size;
    std::memcpy(&size, block, sizeof size);
    allocated -= size;
    std::free(block);
}

}  // namespace

extern "C" {

// For the fake matrix library.
void fake_queue(void (*call)(void*), void* of) { queue().push([=] { call(of); }); }

int cuInit(unsigned) { return INIT; }
int cuDriverGetVersion(int* version) { return *version = VERSION, SUCCESS; }
int cuGetErrorName(int error, const char** name) { return *name = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR", SUCCESS; }
int cuGetErrorString(int, const char** text) { return *text = "the fake driver says no", SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? SUCCESS : 101; }
int cuDeviceGetName(char* name, int length, int) { return std::snprintf(name, length, "Fake H0"), SUCCESS; }
#ifndef LACKS_UUID
int cuDeviceGetUuid_v2(std::uint8_t* uuid, int) {
    for (int i = 0; i < 16; i++) uuid[i] = 0x11 * i;
    return SUCCESS;
}
#endif
int cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 75: *value = 9; break;
        case 76: *value = 0; break;
        case 16: *value = 132; break;
        case 38: *value = 50 << 20; break;
#ifndef LACKS_POOLS
        case 115: *value = 1; break;
#endif
        default: *value = 0;
    }
    return SUCCESS;
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) { return *bytes = MEMORY, SUCCESS; }
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &sticky, SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxGetCurrent(void** context) { return *context = current, SUCCESS; }
int cuCtxSetCurrent(void* context) { return current = context, SUCCESS; }

int cuModuleLoadData(void** module, const void* image) {
    *module = new std::string(static_cast<const char*>(image));
    return SUCCESS;
}
int cuModuleUnload(void* module) { return delete static_cast<std::string*>(module), SUCCESS; }
int cuModuleGetFunction(void** function, void* module, const char* name) {
    const std::string& ptx = *static_cast<std::string*>(module);
    std::size_t at = ptx.find(std::string(".entry ") + name + "(");
    if (at == std::string::npos) return NOT_FOUND;
    auto* found = new Function{name, {}, 48 << 10};
    const std::size_t end = ptx.find(')', at);
    while ((at = ptx.find(".param .u", at)) < end) {
        at += std::strlen(".param .u");
        found->sizes.push_back(std::atoi(&ptx[at]) / 8);
    }
    if (found->name != "gate") {
        const std::string path = std::string(std::getenv("FAKE_CUDA_KERNELS")) + "/" + name + ".so";
        void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library) return std::fprintf(stderr, "%s\n", dlerror()), NOT_FOUND;
        found->entry = dlsym(library, name);
        found->launch = reinterpret_cast<decltype(found->launch)>(dlsym(library, "shim_launch"));
    }
    *function = found;
    return SUCCESS;
}

int cuFuncSetAttribute(void* function, int attribute, int value) {
    if (attribute != 8 || value < 0 || value > 227 << 10) return INVALID_VALUE;
    return static_cast<Function*>(function)->shared = value, SUCCESS;
}

int cuStreamCreate(void** stream, unsigned) { return *stream = &allocated, SUCCESS; }
int cuStreamDestroy_v2(void*) { return SUCCESS; }
int cuStreamSynchronize(void*) { return queue().drain(), sticky.load(); }

int cuEventCreate(void** event, unsigned flags) { return *event = new Event{flags, {}}, SUCCESS; }
int cuEventDestroy_v2(void* event) { return delete static_cast<Event*>(event), SUCCESS; }
int cuEventRecord(void* event, void*) {
    queue().push([=] { static_cast<Event*>(event)->at = Clock::now(); });
    return SUCCESS;
}
int cuEventSynchronize(void*) { return queue().drain(), sticky.load(); }
int cuEventElapsedTime(float* ms, void* start, void* stop) {
    const auto *first = static_cast<Event*>(start), *last = static_cast<Event*>(stop);
    if ((first->flags | last->flags) & DISABLE_TIMING) return INVALID_HANDLE;
    *ms = std::chrono::duration<float, std::milli>(last->at - first->at).count();
    return SUCCESS;
}

int cuMemAlloc_v2(std::uint64_t* address, std::size_t size) { return allocate(address, size); }
int cuMemAllocAsync(std::uint64_t* address, std::size_t size, void*) { return queue().drain(), allocate(address, size); }
int cuMemFree_v2(std::uint64_t address) { return queue().drain(), release(address), SUCCESS; }
int cuMemFreeAsync(std::uint64_t address, void*) { return queue().push([=] { release(address); }), SUCCESS; }
int cuMemGetInfo_v2(std::size_t* unused, std::size_t* total) {
    *unused = MEMORY - allocated;
    *total = MEMORY;
    return SUCCESS;
}
int cuMemHostAlloc(void** memory, std::size_t size, unsigned) {
    return *memory = std::malloc(size), locked.insert(*memory), SUCCESS;
}
int cuMemHostGetDevicePointer_v2(std::uint64_t* address, void* memory, unsigned) {
    return *address = reinterpret_cast<std::uint64_t>(memory), SUCCESS;
}
int cuMemFreeHost(void* memory) { return queue().drain(), locked.erase(memory), std::free(memory), SUCCESS; }
int cuMemcpyHtoDAsync_v2(std::uint64_t to, const void* from, std::size_t size, void*) {
    queue().push([=] { std::memcpy(reinterpret_cast<void*>(to), from, size); });
    if (!locked.count(from)) queue().drain();
    return SUCCESS;
}
int cuMemcpyDtoHAsync_v2(void* to, std::uint64_t from, std::size_t size, void*) {
    queue().push([=] { std::memcpy(to, reinterpret_cast<void*>(from), size); });
    if (!locked.count(to)) queue().drain();
    return sticky.load();
}
int cuMemcpyDtoDAsync_v2(std::uint64_t to, std::uint64_t from, std::size_t size, void*) {
    queue().push([=] { std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), size); });
    return SUCCESS;
}
int cuMemsetD8Async(std::uint64_t to, unsigned char value, std::size_t size, void*) {
    return queue().push([=] { std::memset(reinterpret_cast<void*>(to), value, size); }), SUCCESS;
}
int cuMemsetD32Async(std::uint64_t to, unsigned value, std::size_t words, void*) {
    queue().push([=] {
        for (std::size_t i = 0; i < words; i++) reinterpret_cast<unsigned*>(to)[i] = value;
    });
    return SUCCESS;
}

#ifndef LACKS_LAUNCH
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void*, void** parameters, void**) {
    const auto* kernel = static_cast<Function*>(function);
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || bx * by * bz == 0 || bx * by * bz > 1024 || shared > kernel->shared) return INVALID_VALUE;
    std::vector<std::uint64_t> arguments(kernel->sizes.size());
    for (std::size_t i = 0; i < arguments.size(); i++) std::memcpy(&arguments[i], parameters[i], kernel->sizes[i]);
    queue().push([=] {
        if (!kernel->launch) return gate(arguments);
        const unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
        if (const char* error = kernel->launch(kernel->entry, grid, block, arguments.data(), arguments.size(), 0)) {
            std::fprintf(stderr, "%s\n", error);
            sticky = LAUNCH_FAILED;
        }
    });
    return SUCCESS;
}
#endif
}
