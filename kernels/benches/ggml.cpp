// Products of ggml, the library below llama.cpp, driven over stdin as a peer.
//   usage    ggml THREADS DIRECTORY, that of the library's shared objects, from which backends may be loaded
//   stdin    a device, a type of weights, the sizes and a number of runs on each line: "cpu q4_0 8 4096 4096 10"
//   stdout   once "ggml VERSION", then nanoseconds of all runs, one line for each line read
// Y = X transpose(W): M rows of X in f32, N rows of W in f32, f16 or q4_0, K columns of both, Y in f32. What ggml narrows X
// to for a product (halves, or q8_0 for q4_0) is part of the product, as in its own graphs. `cpu` keeps W in each of the forms
// that its backend offers, as it lies in files or repacked for the processor, and takes the fastest; stderr says which.
// `vulkan` is the device that is a processor: GGML_VK_VISIBLE_DEVICES names it, as ggml leaves it out otherwise.
// Built with: c++ -O2 -std=c++17 -Iinclude ggml.cpp -Llib -lggml -lggml-base
#include <ggml-backend.h>
#include <ggml.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

struct Sizes {
    int64_t m, n, k;
};

static long long now() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] static void fail(const std::string &what) {
    fprintf(stderr, "error: %s\n", what.c_str());
    exit(1);
}

static std::vector<float> random_floats(size_t count) {
    std::minstd_rand draw(1);
    std::vector<float> values(count);
    for (float &value : values) value = float(int(draw() >> 8) % 2001 - 1000) / 1000;
    return values;
}

// One product, its buffers and the graph of so many runs of it.
class Product {
public:
    Product(ggml_backend_t backend, ggml_backend_buffer_type_t of_weights, ggml_type type, Sizes sizes) : backend(backend) {
        w = ggml_new_tensor_2d(weights, type, sizes.k, sizes.n);
        x = ggml_new_tensor_2d(others, GGML_TYPE_F32, sizes.k, sizes.m);
        y = ggml_mul_mat(others, w, x);
        // An empty buffer, as llama.cpp asks whether a product takes weights in a form.
        w->buffer = ggml_backend_buft_alloc_buffer(of_weights, 0);
        runs = ggml_backend_supports_op(backend, y);
        ggml_backend_buffer_free(w->buffer);
        w->buffer = nullptr;
        if (runs) fill(of_weights, sizes);
    }

    ~Product() {
        if (graph) ggml_free(graphs);
        if (runs) ggml_backend_buffer_free(w_buffer);
        if (runs) ggml_backend_buffer_free(others_buffer);
        ggml_free(weights);
        ggml_free(others);
    }

    long long time(int count) {
        prepare(count);
        long long start = now();
        if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) fail("the product failed");
        ggml_backend_synchronize(backend);
        return now() - start;
    }

    // Whether the backend multiplies weights in that form.
    bool runs;

private:
    void fill(ggml_backend_buffer_type_t of_weights, Sizes sizes) {
        w_buffer = ggml_backend_alloc_ctx_tensors_from_buft(weights, of_weights);
        others_buffer = ggml_backend_alloc_ctx_tensors(others, backend);
        if (!w_buffer || !others_buffer) fail("no memory for the product");
        ggml_backend_buffer_set_usage(w_buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        std::vector<float> values = random_floats(sizes.n * sizes.k);
        std::vector<char> packed(ggml_row_size(w->type, sizes.k) * sizes.n);
        ggml_quantize_chunk(w->type, values.data(), packed.data(), 0, sizes.n, sizes.k, nullptr);
        ggml_backend_tensor_set(w, packed.data(), 0, packed.size());
        values = random_floats(sizes.m * sizes.k);
        ggml_backend_tensor_set(x, values.data(), 0, values.size() * sizeof(float));
    }

    static ggml_context *context() { return ggml_init({ggml_tensor_overhead() * 8, nullptr, true}); }

    // One graph of all runs, so that what a graph costs to hand over is paid once.
    void prepare(int count) {
        if (graph && ggml_graph_n_nodes(graph) == count) return;
        if (graph) ggml_free(graphs);
        graphs = ggml_init({ggml_graph_overhead_custom(count + 8, false), nullptr, true});
        graph = ggml_new_graph_custom(graphs, count + 8, false);
        ggml_build_forward_expand(graph, y);
        for (int i = 1; i < count; i++) ggml_graph_add_node(graph, y);
    }

    ggml_backend_t backend;
    ggml_context *weights = context(), *others = context(), *graphs = nullptr;
    ggml_tensor *w, *x, *y;
    ggml_backend_buffer_t w_buffer, others_buffer;
    ggml_cgraph *graph = nullptr;
};

static ggml_backend_t backend_of(const std::string &device, int threads) {
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        ggml_backend_dev_t found = ggml_backend_dev_get(i);
        bool is_cpu = ggml_backend_dev_type(found) == GGML_BACKEND_DEVICE_TYPE_CPU;
        bool is_vulkan = std::string(ggml_backend_dev_name(found)).rfind("Vulkan", 0) == 0;
        if (device == "cpu" ? !is_cpu : !is_vulkan) continue;
        ggml_backend_t backend = ggml_backend_dev_init(found, nullptr);
        if (!backend) fail("ggml does not start " + device);
        fprintf(stderr, "  %s: %s\n", ggml_backend_dev_name(found), ggml_backend_dev_description(found));
        using SetThreads = void (*)(ggml_backend_t, int);
        ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(found);
        auto set = (SetThreads)ggml_backend_reg_get_proc_address(registry, "ggml_backend_set_n_threads");
        if (set) set(backend, threads);
        return backend;
    }
    fail("this ggml has no device for " + device + ": build it with -DGGML_VULKAN=ON");
}

// Where weights may lie: the backend's own memory, and forms of the processor's.
static std::vector<ggml_backend_buffer_type_t> forms_on(ggml_backend_t backend) {
    std::vector<ggml_backend_buffer_type_t> forms = {ggml_backend_get_default_buffer_type(backend)};
    ggml_backend_dev_t device = ggml_backend_get_device(backend);
    using Extras = ggml_backend_buffer_type_t *(*)(ggml_backend_dev_t);
    auto extras = (Extras)ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts");
    for (auto extra = extras ? extras(device) : nullptr; extra && *extra; extra++) forms.push_back(*extra);
    return forms;
}

static std::unique_ptr<Product> fastest(ggml_backend_t backend, ggml_type type, Sizes sizes) {
    std::unique_ptr<Product> best;
    long long least = 0;
    for (ggml_backend_buffer_type_t form : forms_on(backend)) {
        auto product = std::make_unique<Product>(backend, form, type, sizes);
        if (!product->runs) continue;
        product->time(1);
        long long taken = std::min(product->time(1), product->time(1));
        fprintf(stderr, "  %s in %s: %.2f ms\n", ggml_type_name(type), ggml_backend_buft_name(form), taken * 1e-6);
        if (!best || taken < least) best = std::move(product), least = taken;
    }
    if (!best) fail("ggml does not run the product");
    return best;
}

static ggml_type type_of(const std::string &name) {
    for (ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_Q4_0})
        if (name == ggml_type_name(type)) return type;
    fail("no such type here: " + name);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    ggml_backend_load_all_from_path(argv[2]);
    printf("ggml %s\n", ggml_version());
    fflush(stdout);
    char device[16], type[16];
    Sizes sizes;
    int runs;
    std::string kept_name;
    ggml_backend_t backend = nullptr;
    std::unique_ptr<Product> kept;
    while (scanf("%15s %15s %ld %ld %ld %d", device, type, &sizes.m, &sizes.n, &sizes.k, &runs) == 6) {
        std::string name = std::string(device) + ' ' + type + ' ' + std::to_string(sizes.m) + ' ' + std::to_string(sizes.n) + ' ' + std::to_string(sizes.k);
        if (name != kept_name) {
            kept.reset();
            if (!backend) backend = backend_of(device, atoi(argv[1]));
            kept = fastest(backend, type_of(type), sizes);
            kept_name = name;
        }
        printf("%lld\n", kept->time(runs));
        fflush(stdout);
    }
    kept.reset();
    if (backend) ggml_backend_free(backend);
    return 0;
}
