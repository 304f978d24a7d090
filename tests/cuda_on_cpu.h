// What CUDA's language needs to run a kernel on a CPU, for tests: a thread for every thread, which does one block after the other.
#include <barrier>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline

struct Index {
    unsigned int x, y, z;
};
static thread_local Index threadIdx;
static Index blockIdx, blockDim, gridDim;
static float shared[1 << 16];
static float exchanged[1024];
static std::unique_ptr<std::barrier<>> block_barrier, warp_barriers[32];

using std::max;
using std::min;
static float rsqrtf(float value) { return 1.0f / std::sqrt(value); }
static float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
static int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}
static void __syncthreads() { block_barrier->arrive_and_wait(); }
static float __shfl_xor_sync(unsigned int, float value, int distance) {
    std::barrier<>& warp = *warp_barriers[threadIdx.x / 32];
    exchanged[threadIdx.x] = value;
    warp.arrive_and_wait();
    const float other = exchanged[threadIdx.x ^ distance];
    warp.arrive_and_wait();
    return other;
}

template <class... Arguments, std::size_t... I>
void call(void (*kernel)(Arguments...), void** pointers, std::index_sequence<I...>) {
    kernel(*static_cast<Arguments*>(pointers[I])...);
}

template <class... Arguments>
void run(void (*kernel)(Arguments...), void** pointers, int columns, int rows, int threads) {
    gridDim = {(unsigned)columns, (unsigned)rows, 1}, blockDim = {(unsigned)threads, 1, 1};
    int block = 0;
    auto begin_block = [&]() noexcept {
        blockIdx = {(unsigned)(block % columns), (unsigned)(block / columns), 0};
        block++;
        block_barrier = std::make_unique<std::barrier<>>(threads);
        for (int warp = 0; warp * 32 < threads; warp++)
            warp_barriers[warp] = std::make_unique<std::barrier<>>(std::min(32, threads - warp * 32));
    };
    begin_block();
    std::barrier block_end(threads, begin_block);
    std::vector<std::thread> all;
    for (int thread = 0; thread < threads; thread++)
        all.emplace_back([&, thread] {
            threadIdx = {(unsigned)thread, 0, 0};
            for (int done = 0; done < columns * rows; done++) {
                call(kernel, pointers, std::index_sequence_for<Arguments...>{});
                block_barrier->arrive_and_drop();
                block_end.arrive_and_wait();
            }
        });
    for (auto& thread : all) thread.join();
}
