// One call of a network, and its convolutions with their kernels.
#pragma once

#include "network.h"

namespace texjax {

// operands[i][n] and results[i][n] belong to the image n. layers: the operations whose maps are asked for.
template <typename T>
struct Call {
  xla::ffi::ThreadPool& pool;
  Network network;
  std::vector<int64_t> layers;
  std::vector<std::vector<char*>> operands, results;
  long images = 1;

  // The number of the layer that map i is; -1 where it is none.
  long layer(size_t i) const {
    auto found = std::find(layers.begin(), layers.end(), long(i) - 1);
    return found == layers.end() ? -1 : found - layers.begin();
  }
  // The operand that is the kernel of operation i; its bias follows. For i past the end, that of the first gradient.
  long kernel(size_t i) const {
    long before = 0;
    for (size_t j = 0; j < i; ++j) before += network.operations[j].side != 0;
    return 1 + 2 * before;
  }
  const float* operand(long which, long n) const { return reinterpret_cast<const float*>(operands[which][n]); }
  float* result(long which, long n) const { return reinterpret_cast<float*>(results[which][n]); }
};

// The maps of all images, at the same offsets.
template <typename T>
struct Maps {
  const Network& network;
  std::vector<T*> images;
  std::vector<long> offsets;

  T* first(size_t i, long n) const { return images[n] + offsets[i]; }                   // of the border
  T* origin(size_t i, long n) const { return first(i, n) + network.maps[i].origin(); }  // within the border
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
        auto most = pack(kernel, whole, backward, most_->descriptor.weights_desc());
        packed_.push_back({most, pack(kernel, shape, backward, last_->descriptor.weights_desc())});
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
