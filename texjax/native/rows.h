// What happens to rows of channels between two convolutions: borders, pooling, ReLU's mask, and conversions.
#pragma once

#include <cstdint>
#include <cstring>

#include "primitives.h"

namespace texjax {

enum Padding { VALID, SAME, REFLECT, CIRCULAR };

inline float widen(float x) { return x; }
inline float widen(bfloat16 x) {
  uint32_t bits = uint32_t(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}

template <typename T>
T narrow(float x);
template <>
inline float narrow<float>(float x) {
  return x;
}
template <>
inline bfloat16 narrow<bfloat16>(float x) {  // to the nearest, ties to even
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  return {uint16_t(is_nan ? (bits >> 16) | 64 : rounded)};
}

// x where the activation is positive, and else 0.
template <typename T>
float passing(T activation, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if constexpr (std::is_same_v<T, bfloat16>) {
    bits &= -uint32_t(int16_t(activation.bits) > 0);
  } else {
    bits &= -uint32_t(activation > 0);
  }
  std::memcpy(&x, &bits, 4);
  return x;
}

template <typename From, typename To>
void convert(const From* from, To* to, long n) {
  for (long i = 0; i < n; ++i) to[i] = narrow<To>(widen(from[i]));
}

// Whether all numbers are finite: the sum of their multiples by zero is zero then.
inline bool finite(const float* numbers, long n) {
  float sum = 0;
  for (long i = 0; i < n; ++i) sum += numbers[i] * 0.f;
  return sum == 0;
}

// The place inside of n that the padding puts at a place outside; -1 for a zero.
inline long inside(long at, long n, Padding padding) {
  if (padding == CIRCULAR) return (at % n + n) % n;
  if (padding == REFLECT) return at < 0 ? -at : 2 * n - 2 - at;
  return -1;
}

// The place that completes the last window of a pooling of an odd side.
inline long completing(long n, Padding padding) {
  return padding == CIRCULAR ? 0 : padding == REFLECT ? n - 2 : n - 1;
}

// Fill the border at both ends of `count` items of `size` numbers each, the first of which begins at `first`: the
// pixels left and right of a row, or the rows above and below a map.
template <typename T>
void fill_border(T* first, long count, long size, long border, Padding padding) {
  for (long i = 0; i < border; ++i)
    for (long at : {-1 - i, count + i}) {
      long from = inside(at, count, padding);
      if (from < 0) {
        std::memset(first + at * size, 0, size * sizeof(T));
      } else {
        std::memcpy(first + at * size, first + from * size, size * sizeof(T));
      }
    }
}

// Pool two rows of `width` pixels into one of `pooled` pixels.
template <typename T>
void pool(const T* upper, const T* lower, T* to, long width, long pooled, long channels, Padding padding, bool max) {
  for (long j = 0; j < pooled; ++j) {
    long left = 2 * j * channels, right = (2 * j + 1 < width ? 2 * j + 1 : completing(width, padding)) * channels;
    const T *a = upper + left, *b = upper + right, *c = lower + left, *d = lower + right;
    T* out = to + j * channels;
    if (max) {
      for (long i = 0; i < channels; ++i)
        out[i] = narrow<T>(std::max(std::max(widen(a[i]), widen(b[i])), std::max(widen(c[i]), widen(d[i]))));
    } else {
      for (long i = 0; i < channels; ++i)
        out[i] = narrow<T>(0.25f * ((widen(a[i]) + widen(b[i])) + (widen(c[i]) + widen(d[i]))));
    }
  }
}

// The one or two windows of a pooling that a place belongs to: returns their number.
inline int windows(long at, long n, long pooled, Padding padding, long* list) {
  int count = 0;
  if (at / 2 < pooled) list[count++] = at / 2;
  if (padding != VALID && n % 2 && at == completing(n, padding)) list[count++] = pooled - 1;
  return count;
}

struct Pooling {
  long height, width, rows, columns, channels;  // before, and after
  Padding padding;
  bool max;
};

// Add to `sum` [channels] the gradient of the window (i, j) with respect to the pixel (y, x) of `map`, whose rows lie
// `stride` apart. Equal largest values share the gradient.
template <typename T>
void unpool(const Pooling& p, const T* map, long stride, long y, long x, long i, long j, const T* pooled,
            const T* gradient, float* sum) {
  const long at = (i * p.columns + j) * p.channels;
  if (!p.max) {
    for (long c = 0; c < p.channels; ++c) sum[c] += 0.25f * widen(gradient[at + c]);
    return;
  }
  long lower = 2 * i + 1 < p.height ? 2 * i + 1 : completing(p.height, p.padding);
  long right = 2 * j + 1 < p.width ? 2 * j + 1 : completing(p.width, p.padding);
  const T *a = map + 2 * i * stride, *b = map + lower * stride, *own = map + y * stride + x * p.channels;
  for (long c = 0; c < p.channels; ++c) {
    float largest = widen(pooled[c]);
    int equal = 0;
    for (const T* row : {a, b})
      for (long k : {2 * j, right}) equal += widen(row[k * p.channels + c]) == largest;
    if (widen(own[c]) == largest) sum[c] += widen(gradient[at + c]) / equal;
  }
}

// ReLU's gradient: (gradient + more) where the activation is positive. more: may be null. Without branches, so that
// the compiler uses vectors.
template <typename From, typename T>
void masked(const From* __restrict gradient, const float* __restrict more, const T* __restrict activation,
            T* __restrict to, long n) {
  if (more) {
    for (long i = 0; i < n; ++i) to[i] = narrow<T>(passing(activation[i], widen(gradient[i]) + more[i]));
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    for (long i = 0; i < n; ++i) to[i].bits = gradient[i].bits & -uint16_t(int16_t(activation[i].bits) > 0);
  } else {
    for (long i = 0; i < n; ++i) to[i] = narrow<T>(passing(activation[i], widen(gradient[i])));
  }
}

}  // namespace texjax
