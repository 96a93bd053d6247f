// The activations of a network.
#pragma once

#include <limits>

#include "moments.h"

namespace texjax {

template <typename T>
class Forward {
 public:
  Forward(Call<T>& call, const Maps<T>& maps) : call_(call), net_(call.network), maps_(maps), broken_(call.images) {}

  void image() {
    const Map& map = net_.maps[0];
    parallel(call_.pool, call_.images * map.height, [&](long task) {
      long n = task / map.height, y = task % map.height;
      T* row = maps_.origin(0, n) + y * map.stride();
      const float* from = call_.operand(0, n) + y * map.row();
      if (!finite(from, map.row())) broken_[n] = true;
      convert(from, row, map.row());
      fill_border(row, map.width, map.channels, map.border, net_.padding);
    });
    ends(0);
  }

  // oneDNN's ReLU returns 0 for what is no number: it shall be seen all the same.
  void spoil() {
    for (long n = 0; n < call_.images; ++n)
      for (int64_t i : call_.layers) {
        const Map& map = net_.maps[i + 1];
        float* result = call_.result(call_.layer(i + 1), n);
        if (broken_[n]) std::fill(result, result + map.height * map.row(), std::numeric_limits<float>::quiet_NaN());
      }
    for (long n = 0; n < call_.images; ++n)
      for (int64_t i : call_.moments) {
        const long channels = net_.maps[i + 1].channels;
        float* result = call_.result(call_.moment(i + 1), n);
        if (broken_[n]) std::fill(result, result + channels * channels, std::numeric_limits<float>::quiet_NaN());
      }
  }

  // Operation i, a convolution, and the pooling after it.
  void convolution(size_t i) {
    const Map &from = net_.maps[i], &to = net_.maps[i + 1];
    const Shape shape{0, to.width, from.channels, to.channels, net_.operations[i].side, true, false};
    const long rows = strip(to.height, (from.stride() + to.stride()) * long(sizeof(T)));
    const Strips<T> strips(call_, i, shape, to.height, rows, false);
    const long groups = std::min(strips.count, MOST_GROUPS);
    const Moments<T> moments(call_, i + 1, groups), of_pooled(call_, net_.pools(i + 1) ? i + 2 : 0, groups + 1);
    parallel(call_.pool, call_.images * groups, [&](long task) {
      const long n = task / groups, group = task % groups;
      for (long strip = group; strip < strips.count; strip += groups) {
        const long begin = strips.begin(strip), end = strips.end(strip);
        T* origin = maps_.origin(i + 1, n) + begin * to.stride();
        T* result = to.border ? static_cast<T*>(scratch<1>((end - begin) * to.row() * sizeof(T))) : origin;
        strips.run(strip, n, maps_.first(i, n) + begin * from.stride(), result);
        if (to.border) spread(result, origin, to, end - begin);
        finish(i + 1, n, begin, end);
        moments.add(maps_, n, group, begin, end);
        if (!net_.pools(i + 1)) continue;
        pool_rows(i + 1, n, begin / 2, end / 2);
        of_pooled.add(maps_, n, group, begin / 2, end / 2);
      }
    });
    ends(i + 1);
    moments.write();
    if (!net_.pools(i + 1)) return;
    const Map& pooled = net_.maps[i + 2];
    // An odd last row is completed by another one, which is ready only now.
    for (long n = 0; n < call_.images; ++n) {
      pool_rows(i + 1, n, to.height / 2, pooled.height);
      of_pooled.add(maps_, n, groups, to.height / 2, pooled.height);
    }
    ends(i + 2);
    of_pooled.write();
  }

 private:
  static constexpr long MOST_GROUPS = 64;  // of strips

  void spread(const T* from, T* origin, const Map& to, long rows) {
    for (long y = 0; y < rows; ++y) {
      T* row = origin + y * to.stride();
      std::memcpy(row, from + y * to.row(), to.row() * sizeof(T));
      fill_border(row, to.width, to.channels, to.border, net_.padding);
    }
  }

  // Rows of a layer that is asked for, in float32.
  void finish(size_t i, long n, long begin, long end) {
    const long layer = call_.layer(i);
    if (layer < 0) return;
    const Map& map = net_.maps[i];
    float* result = call_.result(layer, n);
    for (long y = begin; y < end; ++y)
      convert(maps_.origin(i, n) + y * map.stride(), result + y * map.row(), map.row());
  }

  void pool_rows(size_t i, long n, long begin, long end) {
    const Map &from = net_.maps[i], &to = net_.maps[i + 1];
    for (long y = begin; y < end; ++y) {
      const T* origin = maps_.origin(i, n);
      long lower = 2 * y + 1 < from.height ? 2 * y + 1 : completing(from.height, net_.padding);
      T* row = maps_.origin(i + 1, n) + y * to.stride();
      pool(origin + 2 * y * from.stride(), origin + lower * from.stride(), row, from.width, to.width, to.channels,
           net_.padding, net_.max);
      fill_border(row, to.width, to.channels, to.border, net_.padding);
    }
    finish(i + 1, n, begin, end);
  }

  void ends(size_t i) {
    const Map& map = net_.maps[i];
    if (!map.border) return;
    for (long n = 0; n < call_.images; ++n)
      fill_border(maps_.first(i, n) + map.border * map.stride(), map.height, map.stride(), map.border, net_.padding);
  }

  Call<T>& call_;
  const Network& net_;
  const Maps<T>& maps_;
  std::vector<std::atomic<bool>> broken_;  // images with what is no number, or infinite
};

template <typename T>
void forward(Call<T>& call) {
  const Network& net = call.network;
  const bool kept = call.results.size() > call.layers.size() + call.moments.size();
  Maps<T> maps{net, {}, {}};
  long largest = 0;
  for (const Map& map : net.maps) largest = std::max(largest, (map.size() + 63) / 64 * 64);
  for (size_t i = 0; i < net.maps.size(); ++i) maps.offsets.push_back(kept ? net.maps[i].offset : i % 3 * largest);
  Arena arena(kept ? 0 : call.images * 3 * largest * sizeof(T));
  for (long n = 0; n < call.images; ++n)
    maps.images.push_back(kept ? reinterpret_cast<T*>(call.results.back()[n])
                               : static_cast<T*>(arena.data()) + n * 3 * largest);
  Forward<T> run(call, maps);
  run.image();
  for (size_t i = 0; i < net.operations.size(); ++i)
    if (net.operations[i].side) run.convolution(i);
  run.spoil();
}

}  // namespace texjax
