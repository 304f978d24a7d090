// What lies between the layers of a UNet, one kernel each. Compiled for the card at hand when it is first needed.
//
// Tensors are contiguous with the channels last. VALUE says what type they hold: 16 = half, 17 = bfloat16, 32 = float.
// A pack is 16 bytes of channels; a thread reads and writes whole packs. Sums are float. A tensor that is not there is
// null. No header is needed, so that no toolkit has to be installed.

#if VALUE == 32
typedef float Value;
static __device__ __forceinline__ float widen(Value value) { return value; }
static __device__ __forceinline__ Value narrow(float value) { return value; }
#elif VALUE == 17
typedef unsigned short Value;
static __device__ __forceinline__ float widen(Value value) { return __int_as_float((int)value << 16); }
static __device__ __forceinline__ Value narrow(float value) {
    unsigned int bits = (unsigned int)__float_as_int(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (Value)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);  // to the nearest, ties to even
}
#else
typedef unsigned short Value;
static __device__ __forceinline__ float widen(Value value) {
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(value));
    return wide;
}
static __device__ __forceinline__ Value narrow(float value) {
    Value half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}
#endif

#define PACK (16 / sizeof(Value))

struct alignas(16) Pack {
    Value values[PACK];
};

#ifdef CHANNELS  // of a kernel that must know them when it is compiled

// sum = x + other + one, where there are any, and normed = the layer norm of it (+ places): all (tokens, CHANNELS).
// `one` is one token for every `tokens_each` tokens, `places` are added to the result, one after the other for `frames`
// tokens. A warp does a token. Grid (tokens / warps).
#define PACKS ((CHANNELS / PACK + 31) / 32)
static __device__ __forceinline__ float add_up(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
    return value;
}

extern "C" __global__ void normalize_layer(
    Pack* sum, Pack* normed, const Pack* x, const Pack* other, const Pack* one, const Pack* places,
    const Pack* weight, const Pack* bias, int tokens, int tokens_each, int frames, float eps
) {
    const int token = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    const int lanes = CHANNELS / PACK;
    if (token >= tokens) return;
    float values[PACKS][PACK], total = 0;
#pragma unroll
    for (int part = 0; part < PACKS; part++) {
        const int index = part * 32 + lane;
        if (index < lanes) {
            const long long at = (long long)token * lanes + index;
            Pack pack = x[at];
#pragma unroll
            for (int i = 0; i < PACK; i++) values[part][i] = widen(pack.values[i]);
            if (other) {
                const Pack more = other[at];
#pragma unroll
                for (int i = 0; i < PACK; i++) values[part][i] += widen(more.values[i]);
            }
            if (one) {
                const Pack more = one[(long long)(token / tokens_each) * lanes + index];
#pragma unroll
                for (int i = 0; i < PACK; i++) values[part][i] += widen(more.values[i]);
            }
            if (sum) {
#pragma unroll
                for (int i = 0; i < PACK; i++) {
                    pack.values[i] = narrow(values[part][i]);
                    values[part][i] = widen(pack.values[i]);
                }
                sum[at] = pack;
            }
#pragma unroll
            for (int i = 0; i < PACK; i++) total += values[part][i];
        }
    }
    const float mean = add_up(total) / CHANNELS;
    float spread = 0;
#pragma unroll
    for (int part = 0; part < PACKS; part++) {
        if (part * 32 + lane < lanes) {
#pragma unroll
            for (int i = 0; i < PACK; i++) {
                const float away = values[part][i] - mean;
                spread += away * away;
            }
        }
    }
    const float scale = rsqrtf(add_up(spread) / CHANNELS + eps);
#pragma unroll
    for (int part = 0; part < PACKS; part++) {
        const int index = part * 32 + lane;
        if (index < lanes) {
            const Pack times = weight[index], plus = bias[index];
            Pack pack;
#pragma unroll
            for (int i = 0; i < PACK; i++)
                pack.values[i] = narrow((values[part][i] - mean) * scale * widen(times.values[i]) + widen(plus.values[i]));
            if (places) {
                const Pack place = places[(token % frames) * lanes + index];
#pragma unroll
                for (int i = 0; i < PACK; i++)
                    pack.values[i] = narrow(widen(pack.values[i]) + widen(place.values[i]));
            }
            normed[(long long)token * lanes + index] = pack;
        }
    }
}

#else

// Sums and sums of squares of each channel over a stretch of positions, for group norms.
// x (rows, positions, channels) -> sums (rows, stretches, 2, channels). Grid (stretches, rows); a block is
// `lanes` threads for the packs of a position, times as many positions as are read at a time.
extern "C" __global__ void sum_channels(float* sums, const Pack* x, int positions, int channels, int stretch) {
    extern __shared__ float shared[];
    const int lanes = channels / PACK, lane = threadIdx.x % lanes, first = threadIdx.x / lanes;
    const int step = blockDim.x / lanes;
    const int begin = blockIdx.x * stretch, end = min(begin + stretch, positions);
    const Pack* row = x + (long long)blockIdx.y * positions * lanes;
    float sum[PACK], square[PACK];
#pragma unroll
    for (int i = 0; i < PACK; i++) sum[i] = square[i] = 0;
#pragma unroll 4
    for (int position = begin + first; position < end; position += step) {
        const Pack pack = row[(long long)position * lanes + lane];
#pragma unroll
        for (int i = 0; i < PACK; i++) {
            const float value = widen(pack.values[i]);
            sum[i] += value;
            square[i] += value * value;
        }
    }
#pragma unroll
    for (int i = 0; i < PACK; i++) {
        shared[first * 2 * channels + lane * PACK + i] = sum[i];
        shared[first * 2 * channels + channels + lane * PACK + i] = square[i];
    }
    __syncthreads();
    float* out = sums + ((long long)blockIdx.y * gridDim.x + blockIdx.x) * 2 * channels;
    for (int i = threadIdx.x; i < 2 * channels; i += blockDim.x) {
        float total = 0;
        for (int part = 0; part < step; part++) total += shared[part * 2 * channels + i];
        out[i] = total;
    }
}

// What a group norm multiplies by and adds: sums (rows, stretches, 2, channels) -> factors (rows, 2, channels).
// `added` (rows, channels), if there is one, is added to every position first. Grid (rows).
extern "C" __global__ void finish_groups(
    float* factors, const float* sums, const Value* added, const Value* weight, const Value* bias,
    int stretches, int positions, int channels, int groups, float eps
) {
    extern __shared__ float shared[];  // (2, channels), then (2, groups)
    const int width = channels / groups;
    float* moments = shared + 2 * channels;
    const float* row = sums + (long long)blockIdx.x * stretches * 2 * channels;
    const Value* extra = added + (long long)blockIdx.x * channels;
    for (int channel = threadIdx.x; channel < channels; channel += blockDim.x) {
        float sum = 0, square = 0;
        for (int part = 0; part < stretches; part++) {
            sum += row[part * 2 * channels + channel];
            square += row[part * 2 * channels + channels + channel];
        }
        if (added) {
            const float more = widen(extra[channel]);
            square += more * (2 * sum + more * positions);
            sum += more * positions;
        }
        shared[channel] = sum;
        shared[channels + channel] = square;
    }
    __syncthreads();
    for (int group = threadIdx.x; group < groups; group += blockDim.x) {
        float sum = 0, square = 0;
        for (int i = group * width; i < (group + 1) * width; i++) {
            sum += shared[i];
            square += shared[channels + i];
        }
        const float count = (float)width * positions, mean = sum / count;
        const float variance = fmaxf(square / count - mean * mean, 0.0f);
        moments[group] = mean;
        moments[groups + group] = rsqrtf(variance + eps);
    }
    __syncthreads();
    float* out = factors + (long long)blockIdx.x * 2 * channels;
    for (int channel = threadIdx.x; channel < channels; channel += blockDim.x) {
        const int group = channel / width;
        const float scale = moments[groups + group] * widen(weight[channel]);
        const float center = moments[group] - (added ? widen(extra[channel]) : 0.0f);
        out[channel] = scale;
        out[channels + channel] = widen(bias[channel]) - center * scale;
    }
}

// y = x * scale + shift, then SiLU if `activates`: x (rows, positions, channels), factors (rows, 2, channels).
// With `frames` > 0 rows are chunks of so many frames, and y is (chunks, positions, frames, channels). Grid and block
// are those of sum_channels.
extern "C" __global__ void scale_and_shift(
    Pack* y, const Pack* x, const float* factors, int positions, int channels, int stretch, int frames, int activates
) {
    const int lanes = channels / PACK, lane = threadIdx.x % lanes, first = threadIdx.x / lanes;
    const int step = blockDim.x / lanes, row = blockIdx.y;
    const int begin = blockIdx.x * stretch, end = min(begin + stretch, positions);
    const float* own = factors + (long long)row * 2 * channels + lane * PACK;
    float scale[PACK], shift[PACK];
#pragma unroll
    for (int i = 0; i < PACK; i++) scale[i] = own[i], shift[i] = own[channels + i];
    const Pack* in = x + (long long)row * positions * lanes + lane;
    long long base = (long long)row * positions, each = 1;
    if (frames > 0) base = (long long)(row / frames) * positions * frames + row % frames, each = frames;
    Pack* out = y + base * lanes + lane;
#pragma unroll 4
    for (int position = begin + first; position < end; position += step) {
        Pack pack = in[(long long)position * lanes];
#pragma unroll
        for (int i = 0; i < PACK; i++) {
            float value = widen(pack.values[i]) * scale[i] + shift[i];
            if (activates) value = value / (1.0f + expf(-value));
            pack.values[i] = narrow(value);
        }
        out[position * each * lanes] = pack;
    }
}

// The first half of the channels times the exact GELU of the second: hidden (tokens, 2 channels) -> y (tokens, channels).
extern "C" __global__ void gate_with_gelu(Pack* y, const Pack* hidden, int tokens, int channels) {
    const unsigned int lanes = channels / PACK, index = blockIdx.x * blockDim.x + threadIdx.x;
    const unsigned int token = index / lanes, lane = index % lanes;
    if (token >= (unsigned int)tokens) return;
    const Pack* row = hidden + (long long)token * 2 * lanes + lane;
    Pack pack = row[0];
    const Pack gate = row[lanes];
#pragma unroll
    for (int i = 0; i < PACK; i++) {
        const float x = widen(gate.values[i]);
        pack.values[i] = narrow(widen(pack.values[i]) * x * 0.5f * (1.0f + erff(x * 0.70710678118654752f)));
    }
    y[index] = pack;
}

// y = x + other, of which x and y are (chunks * frames, positions, channels) and other (chunks * positions, frames,
// channels). Grid (stretches, rows), as in sum_channels.
extern "C" __global__ void add_sequences(
    Pack* y, const Pack* x, const Pack* other, int positions, int channels, int stretch, int frames
) {
    const int lanes = channels / PACK, lane = threadIdx.x % lanes, first = threadIdx.x / lanes;
    const int step = blockDim.x / lanes, row = blockIdx.y;
    const int begin = blockIdx.x * stretch, end = min(begin + stretch, positions);
    const long long base = (long long)row * positions * lanes + lane;
    const Pack* sequences = other + ((long long)(row / frames) * positions * frames + row % frames) * lanes + lane;
#pragma unroll 4
    for (int position = begin + first; position < end; position += step) {
        const long long at = base + (long long)position * lanes;
        Pack pack = x[at];
        const Pack more = sequences[(long long)position * frames * lanes];
#pragma unroll
        for (int i = 0; i < PACK; i++) pack.values[i] = narrow(widen(pack.values[i]) + widen(more.values[i]));
        y[at] = pack;
    }
}

#endif
