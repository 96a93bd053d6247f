// The gradients of a network: of the image, or of the kernels and biases.
#pragma once

#include "moments.h"

namespace texjax {

// The gradients of two maps at a time lie in two slots in turn.
template <typename T>
class Backward {
 public:
  Backward(Call<T>& call, const Maps<T>& maps)
      : call_(call), net_(call.network), maps_(maps), size_(largest()), arena_(2 * call.images * size_ * sizeof(T)) {}

  // The gradient of the deepest map, of which there is no convolution above.
  void seed(size_t i) {
    const Map map = net_.gradient(i);
    const Mixing<T> mixing(call_, i);
    const long rows = 8, strips = (map.height + rows - 1) / rows;
    parallel(call_.pool, call_.images * strips, [&](long task) {
      const long n = task / strips, begin = task % strips * rows, end = std::min(begin + rows, map.height);
      const float* asked = mixing.rows(maps_, n, begin, end);
      for (long y = begin; y < end; ++y) write_row(i, n, y, asked + (y - begin) * map.row(), nullptr);
    });
    ends(i);
  }

  // From the gradient of what a pooling returns, map i + 1, to that of map i.
  void unpooling(size_t i) {
    const Map &map = net_.maps[i], &pooled = net_.maps[i + 1];
    const Pooling pooling = net_.pooling(i);
    const Mixing<T> mixing(call_, i);
    const long rows = 8, strips = (map.height + rows - 1) / rows;
    parallel(call_.pool, call_.images * strips, [&](long task) {
      const long n = task / strips, begin = task % strips * rows, end = std::min(begin + rows, map.height);
      const T *from = slot(i + 1, n), *origin = maps_.origin(i, n), *after = maps_.origin(i + 1, n);
      float* sums = static_cast<float*>(scratch<2>(map.row() * sizeof(float)));
      const float* asked = mixing.rows(maps_, n, begin, end);
      for (long y = begin; y < end; ++y) {
        long at_y[2], at_x[2];
        const int ys = windows(y, map.height, pooled.height, net_.padding, at_y);
        std::fill(sums, sums + map.row(), 0.f);
        for (long x = 0; x < map.width; ++x) {
          const int xs = windows(x, map.width, pooled.width, net_.padding, at_x);
          for (int a = 0; a < ys; ++a)
            for (int b = 0; b < xs; ++b)
              unpool(pooling, origin, map.stride(), y, x, at_y[a], at_x[b],
                     after + at_y[a] * pooled.stride() + at_x[b] * pooled.channels, from, sums + x * map.channels);
        }
        write_row(i, n, y, sums, row_of(asked, map, y - begin));
      }
    });
    ends(i);
  }

  // From the gradient of map i + 1 to that of map i, through a convolution. E: float at the image, and else T.
  template <typename E>
  void convolution(size_t i) {
    const Map from = net_.gradient(i + 1), &map = net_.maps[i];
    const long side = net_.operations[i].side, fold = net_.padding == REFLECT ? side / 2 : 0;
    const long height = map.height + 2 * fold, width = map.width + 2 * fold, row = width * map.channels;
    const Shape shape{0, width, from.channels, map.channels, side, false, std::is_same_v<E, float>};
    const long rows = strip(height, from.stride() * long(sizeof(T)) + row * long(sizeof(E)));
    const Strips<T> strips(call_, i, shape, height, rows, true);
    const Mixing<T> mixing(call_, i);
    Arena folded(fold ? call_.images * height * row * sizeof(E) : 0);
    parallel(call_.pool, call_.images * strips.count, [&](long task) {
      const long n = task / strips.count, strip = task % strips.count;
      const long begin = strips.begin(strip), end = strips.end(strip);
      E* result = fold ? static_cast<E*>(folded.data()) + (n * height + begin) * row
                       : static_cast<E*>(scratch<1>((end - begin) * row * sizeof(E)));
      strips.run(strip, n, slot(i + 1, n) + begin * from.stride(), result);
      if (fold) return;
      const float* asked = mixing.rows(maps_, n, begin, end);
      for (long y = begin; y < end; ++y)
        write_row(i, n, y, result + (y - begin) * row, row_of(asked, map, y - begin));
    });
    if (fold) this->fold(mixing, i, fold, static_cast<const E*>(folded.data()));
    ends(i);
  }

  // The gradients of kernel and bias of operation i. The sums are in an order that does not depend on the threads.
  void kernel_gradient(size_t i) {
    const Map from = net_.gradient(i + 1), &map = net_.maps[i];
    Shape shape{0, from.width, map.channels, from.channels, net_.operations[i].side, true, false};
    const long rows = strip(from.height, (map.stride() + from.stride()) * long(sizeof(T)));
    const long strips = (from.height + rows - 1) / rows, groups = std::clamp(8 / call_.images, 1L, strips);
    shape.rows = std::min(rows, from.height);
    const auto most = plan<T, KernelGradient>(shape);
    const auto desc = most->descriptor.diff_weights_desc();
    shape.rows = from.height - (strips - 1) * rows;
    const auto last = plan<T, KernelGradient>(shape);
    if (last->descriptor.diff_weights_desc() != desc) throw std::runtime_error("two layouts of one kernel's gradient");
    const long kernel = desc.get_size() / sizeof(float), total = (kernel + from.channels + 15) / 16 * 16;
    Arena arena(call_.images * groups * total * sizeof(float));
    float* const sums = static_cast<float*>(arena.data());
    parallel(call_.pool, call_.images * groups, [&](long task) {
      const long n = task / groups;
      float* sum = sums + task * total;
      std::fill(sum, sum + total, 0.f);
      for (long strip = task % groups; strip < strips; strip += groups) {
        const long begin = strip * rows, end = std::min(begin + rows, from.height);
        add_strip(strip == strips - 1 ? *last : *most, i, n, begin, end, sum, total, kernel);
      }
    });
    parallel(call_.pool, call_.images, [&](long n) {
      float* sum = sums + n * groups * total;
      for (long group = 1; group < groups; ++group)
        for (long j = 0; j < total; ++j) sum[j] += sum[group * total + j];
      const long result = call_.kernel(i) - 1;
      reorder(at(desc, sum), at({shape.kernel(), memory::data_type::f32, Tag::hwio}, call_.result(result, n)));
      std::memcpy(call_.result(result + 1, n), sum + kernel, from.channels * sizeof(float));
    });
  }

 private:
  long largest() const {
    long size = 0;
    for (size_t i = 1; i < net_.maps.size(); ++i) size = std::max(size, (net_.gradient(i).size() + 63) / 64 * 64);
    return size;
  }
  T* slot(size_t i, long n) const { return static_cast<T*>(arena_.data()) + (i % 2 * call_.images + n) * size_; }
  static const float* row_of(const float* rows, const Map& map, long y) { return rows ? rows + y * map.row() : nullptr; }
  // The border of a gradient: what a circular convolution reads there, and else zeros.
  Padding around() const { return net_.padding == CIRCULAR ? CIRCULAR : SAME; }

  template <typename E>
  void write_row(size_t i, long n, long y, const E* gradient, const float* more) {
    const Map map = net_.gradient(i);
    if (i == 0) return convert(gradient, call_.result(0, n) + y * map.row(), map.row());
    T* row = slot(i, n) + map.origin() + y * map.stride();
    if (!net_.operations[i - 1].side) {
      for (long j = 0; j < map.row(); ++j) row[j] = narrow<T>(widen(gradient[j]) + (more ? more[j] : 0.f));
      return;
    }
    masked(gradient, more, maps_.origin(i, n) + y * net_.maps[i].stride(), row, map.row());
    fill_border(row, map.width, map.channels, map.border, around());
  }

  void ends(size_t i) {
    const Map map = net_.gradient(i);
    if (!map.border) return;
    for (long n = 0; n < call_.images; ++n)
      fill_border(slot(i, n) + map.border * map.stride(), map.height, map.stride(), map.border, around());
  }

  // Add the gradient of reflected pixels to the pixels that they reflect.
  template <typename E>
  void fold(const Mixing<T>& mixing, size_t i, long border, const E* from) {
    const Map& map = net_.maps[i];
    const long height = map.height + 2 * border, row = (map.width + 2 * border) * map.channels;
    parallel(call_.pool, call_.images * map.height, [&](long task) {
      const long n = task / map.height, y = task % map.height;
      float* sums = static_cast<float*>(scratch<2>(row * sizeof(float)));
      std::fill(sums, sums + row, 0.f);
      for (long at = -border; at < map.height + border; ++at) {
        if (at != y && (at >= 0 && at < map.height || inside(at, map.height, REFLECT) != y)) continue;
        const E* line = from + (n * height + at + border) * row;
        for (long j = 0; j < row; ++j) sums[j] += widen(line[j]);
      }
      float* origin = sums + border * map.channels;
      for (long k = 0; k < border; ++k)
        for (long x : {-1 - k, map.width + k})
          for (long c = 0; c < map.channels; ++c)
            origin[inside(x, map.width, REFLECT) * map.channels + c] += origin[x * map.channels + c];
      write_row(i, n, y, origin, mixing.rows(maps_, n, y, y + 1));
    });
  }

  void add_strip(const KernelGradient& plan, size_t i, long n, long begin, long end, float* sum, long total,
                 long kernel) {
    const Map from = net_.gradient(i + 1);
    const auto& d = plan.descriptor;
    T* gradient = static_cast<T*>(scratch<1>((end - begin) * from.row() * sizeof(T)));
    for (long y = begin; y < end; ++y)
      std::memcpy(gradient + (y - begin) * from.row(), slot(i + 1, n) + from.origin() + y * from.stride(),
                  from.row() * sizeof(T));
    float* part = static_cast<float*>(scratch<2>(total * sizeof(float)));
    std::fill(part, part + total, 0.f);
    plan.run({{DNNL_ARG_SRC, at(d.src_desc(), maps_.first(i, n) + begin * net_.maps[i].stride())},
              {DNNL_ARG_DIFF_DST, at(d.diff_dst_desc(), gradient)},
              {DNNL_ARG_DIFF_WEIGHTS, at(d.diff_weights_desc(), part)},
              {DNNL_ARG_DIFF_BIAS, at(d.diff_bias_desc(), part + kernel)}});
    for (long j = 0; j < total; ++j) sum[j] += part[j];
  }

  Call<T>& call_;
  const Network& net_;
  const Maps<T>& maps_;
  const long size_;
  const Arena arena_;
};

template <typename T>
void backward(Call<T>& call) {
  const Network& net = call.network;
  const bool of_kernels = call.results.size() > 1;
  Maps<T> maps{net, {}, {}};
  for (const Map& map : net.maps) maps.offsets.push_back(map.offset);
  for (long n = 0; n < call.images; ++n) maps.images.push_back(reinterpret_cast<T*>(call.operands[0][n]));
  Backward<T> run(call, maps);
  run.seed(net.operations.size());
  for (size_t i = net.operations.size(); i-- > 0;) {
    if (!net.operations[i].side) {
      run.unpooling(i);
      continue;
    }
    if (of_kernels) run.kernel_gradient(i);
    if (i > 0) run.template convolution<T>(i);
    if (i == 0 && !of_kernels) run.template convolution<float>(i);
  }
}

}  // namespace texjax
