// One call of a network, and its convolutions with their kernels.
#pragma once

#include "network.h"

namespace texjax {

// operands[i][n] and results[i][n] belong to the image n. layers: the operations whose maps are asked for. moments: those
// whose sums of outer products of pixels are asked for. The results, and the gradients that come back, are first those
// of the layers and then those of the moments. masked: whether the last operands say which pixels count in the moments:
// 1 or 0 for each row and then for each column of the map.
template <typename T>
struct Call {
  xla::ffi::ThreadPool& pool;
  Network network;
  std::vector<int64_t> layers, moments;
  std::vector<std::vector<char*>> operands, results;
  long images = 1;
  bool masked = false;

  // The number of the layer that map i is, and that of its moments; -1 where they are not asked for.
  long layer(size_t i) const { return place(layers, i, 0); }
  long moment(size_t i) const { return place(moments, i, layers.size()); }
  // The operand that is the kernel of operation i; its bias follows. For i past the end, that of the first gradient.
  long kernel(size_t i) const {
    long before = 0;
    for (size_t j = 0; j < i; ++j) before += network.operations[j].side != 0;
    return 1 + 2 * before;
  }
  const float* operand(long which, long n) const { return reinterpret_cast<const float*>(operands[which][n]); }
  // On the way back: the gradient of a layer or of moments.
  const float* gradient(long which, long n) const { return operand(kernel(network.operations.size()) + which, n); }
  // Which rows and columns of map i count in its moments; null where all do.
  const float* mask(size_t i, long n) const {
    if (!masked) return nullptr;
    return operand(long(operands.size() - layers.size() - moments.size()) + moment(i), n);
  }
  float* result(long which, long n) const { return reinterpret_cast<float*>(results[which][n]); }

 private:
  static long place(const std::vector<int64_t>& list, size_t i, long before) {
    auto found = std::find(list.begin(), list.end(), long(i) - 1);
    return found == list.end() ? -1 : before + (found - list.begin());
  }
};

// The maps of all images, at the same offsets.
template <typename T>
struct Maps {
  const Network& network;
  std::vector<T*> images;
  std::vector<long> offsets;

  T* first(size_t i, long n) const { return images[n] + offsets[i]; }                   // of the border
  T* origin(size_t i, long n) const { return first(i, n) + network.maps[i].origin(); }  // within the border

  // The pixels of rows without the border between them; a copy where there is one.
  const T* pixels(size_t i, long n, long begin, long end) const {
    const Map& map = network.maps[i];
    const T* from = origin(i, n) + begin * map.stride();
    if (!map.border) return from;
    T* copy = static_cast<T*>(scratch<3>((end - begin) * map.row() * sizeof(T)));
    for (long y = 0; y < end - begin; ++y)
      std::memcpy(copy + y * map.row(), from + y * map.stride(), map.row() * sizeof(T));
    return copy;
  }

  // The same with zeros for the pixels that do not count; null where none of them counts.
  const T* pixels(size_t i, long n, long begin, long end, const float* mask) const {
    if (!mask) return pixels(i, n, begin, end);
    const Map& map = network.maps[i];
    const float* columns = mask + map.height;
    if (std::none_of(mask + begin, mask + end, [](float counts) { return counts != 0; })) return nullptr;
    T* copy = static_cast<T*>(scratch<3>((end - begin) * map.row() * sizeof(T)));
    for (long y = begin; y < end; ++y)
      for (long x = 0; x < map.width; ++x) {
        const T* from = origin(i, n) + y * map.stride() + x * map.channels;
        T* to = copy + (y - begin) * map.row() + x * map.channels;
        if (mask[y] != 0 && columns[x] != 0)
          std::memcpy(to, from, map.channels * sizeof(T));
        else
          std::memset(to, 0, map.channels * sizeof(T));
      }
    return copy;
  }
};

// The convolution of operation i, forward or backward, over strips of at most `rows` rows out of `height`.
template <typename T>
class Strips {
 public:
  Strips(const Call<T>& call, size_t i, Shape shape, long height, long rows, bool backward)
      : count((height + rows - 1) / rows), call_(call), kernel_(call.kernel(i)), height_(height), rows_(rows) {
    shape.rows = std::min(rows, height);
    most_ = plan<T, Convolution>(shape);
    const Shape whole = shape;
    shape.rows = height - (count - 1) * rows;
    last_ = plan<T, Convolution>(shape);
    for (long n = 0; n < call.images; ++n) {
      const float* kernel = call.operand(kernel_, n);
      if (n && kernel == call.operand(kernel_, n - 1)) {
        packed_.push_back(packed_.back());
      } else {
        const Digest plain = digest(kernel, shape.side * shape.side * shape.in * shape.out);
        auto most = pack(kernel, plain, whole, backward, most_->descriptor.weights_desc());
        packed_.push_back({most, pack(kernel, plain, shape, backward, last_->descriptor.weights_desc())});
      }
    }
  }

  long begin(long strip) const { return strip * rows_; }
  long end(long strip) const { return std::min(height_, (strip + 1) * rows_); }

  void run(long strip, long n, const T* source, void* result) const {
    const bool is_last = strip == count - 1;
    const Convolution& plan = is_last ? *last_ : *most_;
    const auto& d = plan.descriptor;
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, at(d.src_desc(), source)},
        {DNNL_ARG_WEIGHTS, (is_last ? packed_[n].second : packed_[n].first)->values},
        {DNNL_ARG_DST, at(d.dst_desc(), result)}};
    if (auto bias = d.bias_desc(); bias.get_size())
      arguments.insert({DNNL_ARG_BIAS, at(bias, call_.operand(kernel_ + 1, n))});
    plan.run(std::move(arguments));
  }

  const long count;

 private:
  using Kernel = std::shared_ptr<const Packed>;
  const Call<T>& call_;
  const long kernel_, height_, rows_;
  std::shared_ptr<const Convolution> most_, last_;
  std::vector<std::pair<Kernel, Kernel>> packed_;
};

}  // namespace texjax
