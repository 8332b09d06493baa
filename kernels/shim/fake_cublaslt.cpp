// As much of cuBLASLt as the vendor path calls, by its documentation and on the fake driver's queue: to check which operand is
// handed over how where no card is. Three algorithms are offered: a slow one, one that does not run here, a fast one.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <thread>
#include <vector>

namespace {

enum Status { SUCCESS = 0, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum Type { R_32F = 0, R_16F = 2, R_8I = 3, R_32I = 10, R_16BF = 14, R_8F_E4M3 = 28 };
enum { SLOW = 7, BROKEN = 8, FAST = 9 };

struct Description { int compute, scalar, transposed[2]; };
struct Layout { int type; std::uint64_t rows, columns; std::int64_t leading; };
struct Preference { std::size_t workspace; std::uint32_t schemes; };
struct Algorithm { std::uint64_t data[8]; };
struct Found { Algorithm algorithm; std::size_t workspace; int state; float waves; int reserved[4]; };

template <class T>
T at(const void* from, std::size_t index) {
    T value;
    std::memcpy(&value, static_cast<const char*>(from) + index * sizeof value, sizeof value);
    return value;
}

float single(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

double read(const void* from, int type, std::size_t index) {
    switch (type) {
        case R_32F: return at<float>(from, index);
        case R_16F: return static_cast<float>(at<_Float16>(from, index));
        case R_8I: return at<std::int8_t>(from, index);
        case R_16BF: return single(static_cast<std::uint32_t>(at<std::uint16_t>(from, index)) << 16);
        default: break;
    }
    const unsigned bits = at<std::uint8_t>(from, index), exponent = bits >> 3 & 15, fraction = bits & 7;
    const double size = exponent ? (8 + fraction) * single((exponent + 117) << 23) : fraction * 0x1p-9;
    return bits & 0x80 ? -size : size;
}

void write(void* to, int type, std::size_t index, double value) {
    const float narrowed = static_cast<float>(value);
    if (type == R_32F) std::memcpy(static_cast<float*>(to) + index, &narrowed, 4);
    if (type == R_32I) static_cast<std::int32_t*>(to)[index] = static_cast<std::int32_t>(static_cast<std::int64_t>(value));
    if (type == R_16F) static_cast<_Float16*>(to)[index] = static_cast<_Float16>(narrowed);
    if (type == R_16BF) {
        std::uint32_t bits;
        std::memcpy(&bits, &narrowed, 4);
        static_cast<std::uint16_t*>(to)[index] = static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}

// op(X) by rows: element (i, j) of a matrix of columns stands at i + j * leading.
std::vector<double> operand(const void* from, const Layout& layout, bool transposed) {
    std::vector<double> rows(layout.rows * layout.columns);
    for (std::uint64_t i = 0; i < layout.rows; i++)
        for (std::uint64_t j = 0; j < layout.columns; j++)
            rows[transposed ? j * layout.rows + i : i * layout.columns + j] = read(from, layout.type, i + j * layout.leading);
    return rows;
}

void queue(std::function<void()> work) {
    static auto* push = reinterpret_cast<void (*)(void (*)(void*), void*)>(
        dlsym(dlopen("libcuda.so", RTLD_NOW | RTLD_NOLOAD), "fake_queue"));
    const auto call = [](void* of) {
        auto* work = static_cast<std::function<void()>*>(of);
        (*work)();
        delete work;
    };
    push(call, new std::function<void()>(std::move(work)));
}

// Whether the library has such a product: narrow integers of whole words, eight-bit floats of whole 16-byte words.
bool has(const Description& d, const Layout& a, const Layout& b, const Layout& c) {
    const bool shapes = d.transposed[0] == 1 && d.transposed[1] == 0 && a.rows == b.rows && c.rows == a.columns && c.columns == b.columns;
    const std::uint64_t unit = a.type == R_8I ? 4 : a.type == R_8F_E4M3 ? 16 : 1;
    const std::uint64_t sizes = (a.rows | a.columns | b.columns) % unit;
    const bool integers = d.compute == 72 && d.scalar == R_32I && a.type == R_8I && c.type == R_32I;
    const bool floats = (d.compute == 68 || (d.compute == 77 && a.type == R_32F)) && d.scalar == R_32F && a.type != R_8I;
    return shapes && sizes == 0 && a.type == b.type && (integers || floats);
}

}  // namespace

extern "C" {

std::size_t cublasLtGetVersion() { return 120804; }
int cublasLtCreate(void** handle) { return *handle = new int, SUCCESS; }
int cublasLtDestroy(void* handle) { return delete static_cast<int*>(handle), SUCCESS; }

int cublasLtMatmulDescCreate(void** description, int compute, int scalar) {
    return *description = new Description{compute, scalar, {0, 0}}, SUCCESS;
}
int cublasLtMatmulDescSetAttribute(void* description, int attribute, const void* value, std::size_t bytes) {
    if (bytes != 4 || attribute < 3 || attribute > 4) return INVALID_VALUE;
    return static_cast<Description*>(description)->transposed[attribute - 3] = at<int>(value, 0), SUCCESS;
}
int cublasLtMatmulDescDestroy(void* description) { return delete static_cast<Description*>(description), SUCCESS; }

int cublasLtMatrixLayoutCreate(void** layout, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
    if (leading < static_cast<std::int64_t>(rows)) return INVALID_VALUE;
    return *layout = new Layout{type, rows, columns, leading}, SUCCESS;
}
int cublasLtMatrixLayoutDestroy(void* layout) { return delete static_cast<Layout*>(layout), SUCCESS; }

int cublasLtMatmulPreferenceCreate(void** preference) { return *preference = new Preference{0, 7}, SUCCESS; }
int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value, std::size_t bytes) {
    auto* wanted = static_cast<Preference*>(preference);
    if (attribute == 1 && bytes == 8) return wanted->workspace = at<std::size_t>(value, 0), SUCCESS;
    if (attribute == 3 && bytes == 4) return wanted->schemes = at<std::uint32_t>(value, 0), SUCCESS;
    return INVALID_VALUE;
}
int cublasLtMatmulPreferenceDestroy(void* preference) { return delete static_cast<Preference*>(preference), SUCCESS; }

int cublasLtMatmulAlgoGetHeuristic(void*, void* description, void* a, void* b, void* c, void* d, void* preference, int most,
                                   Found* found, int* count) {
    const auto* wanted = static_cast<Preference*>(preference);
    const auto &first = *static_cast<Layout*>(a), &second = *static_cast<Layout*>(b), &result = *static_cast<Layout*>(d);
    if (c != d || most < 3 || wanted->workspace == 0 || wanted->schemes & 4) return INVALID_VALUE;
    if (!has(*static_cast<Description*>(description), first, second, result)) return *count = 0, NOT_SUPPORTED;
    found[0] = {{{SLOW}}, 0, SUCCESS, 1, {}};
    found[1] = {{{BROKEN}}, 0, SUCCESS, 1, {}};
    found[2] = {{{FAST}}, 0, SUCCESS, 1, {}};
    return *count = 3, SUCCESS;
}

int cublasLtMatmulAlgoConfigGetAttribute(const Algorithm* algorithm, int attribute, void* value, std::size_t bytes, std::size_t* written) {
    if (bytes != 4) return INVALID_VALUE;
    const std::uint32_t number = attribute == 0 ? algorithm->data[0] : attribute;
    return std::memcpy(value, &number, 4), *written = 4, SUCCESS;
}

int cublasLtMatmul(void*, void* description, const void* alpha, const void* a, void* a_layout, const void* b, void* b_layout,
                   const void* beta, const void* c, void* c_layout, void* d, void* d_layout, const Algorithm* algorithm,
                   void* workspace, std::size_t bytes, void*) {
    const Layout first = *static_cast<Layout*>(a_layout), second = *static_cast<Layout*>(b_layout), result = *static_cast<Layout*>(d_layout);
    const bool whole = static_cast<Description*>(description)->scalar == R_32I;
    const double scale = whole ? at<std::int32_t>(alpha, 0) : at<float>(alpha, 0);
    if (scale != 1 || at<std::int32_t>(beta, 0) != 0 || c != d || c_layout != d_layout || !workspace || !bytes) return INVALID_VALUE;
    const std::uint64_t chosen = algorithm->data[0];
    if (chosen == BROKEN) return EXECUTION_FAILED;
    queue([=] {
        if (chosen == SLOW) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        const auto left = operand(a, first, true), right = operand(b, second, false);
        const std::uint64_t inner = first.rows;
        for (std::uint64_t j = 0; j < result.columns; j++) {
            for (std::uint64_t i = 0; i < result.rows; i++) {
                double sum = 0;
                for (std::uint64_t k = 0; k < inner; k++) sum += left[i * inner + k] * right[k * second.columns + j];
                write(d, result.type, i + j * result.leading, sum);
            }
        }
    });
    return SUCCESS;
}
}
