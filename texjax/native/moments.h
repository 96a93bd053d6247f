// Second moments of a map's pixels X [n, c], X^T X, and their gradient.
#pragma once

#include <deque>

#include "planned.h"

namespace texjax {

using Product = Plan<dnnl::matmul::primitive_desc, dnnl::matmul>;

// The product left x right [rows, columns], in float32. accumulated: added to what is there.
inline Product describe_product(const memory::desc& left, const memory::desc& right, long rows, long columns,
                                bool accumulated) {
  const memory::desc result({rows, columns}, memory::data_type::f32, Tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (accumulated) after.append_sum(1.f);
  attributes.set_post_ops(after);
#if DNNL_VERSION_MAJOR >= 3
  return Product(dnnl::matmul::primitive_desc(engine(), left, right, result, attributes));
#else
  return Product(dnnl::matmul::primitive_desc({left, right, result}, attributes, engine()));
#endif
}

// A product of n pixels of c channels: X^T X added to the result (`moments`), or X S with a symmetric matrix S.
template <typename T>
std::shared_ptr<const Product> product(long n, long c, bool moments) {
  static std::recursive_mutex mutex;
  static std::map<std::tuple<long, long, bool>, std::shared_ptr<const Product>> plans;
  std::lock_guard lock(mutex);
  if (plans.size() > 2000) plans.clear();
  if (auto found = plans.find({n, c, moments}); found != plans.end()) return found->second;
  OneThread one_thread;
  const memory::desc pixels({n, c}, dtype<T>, Tag::ab);
  std::shared_ptr<const Product> result;
  if (moments) {
    const memory::desc transposed({c, n}, dtype<T>, Tag::ba);
    result = std::make_shared<const Product>(describe_product(transposed, pixels, c, c, true));
  } else {
    // One layout of S serves all numbers of pixels: the best one for 256.
    constexpr long TYPICAL = 256;
    const memory::desc any({c, c}, dtype<T>, Tag::any);
    const auto matrix = n == TYPICAL ? any : product<T>(TYPICAL, c, false)->descriptor.weights_desc();
    result = std::make_shared<const Product>(describe_product(pixels, matrix, n, c, false));
  }
  plans[{n, c, moments}] = result;
  return result;
}

// The moments of map i, if they are asked for. Each group of strips has a sum of its own, so that the order of additions
// does not depend on the threads.
template <typename T>
class Moments {
 public:
  Moments(const Call<T>& call, size_t i, long groups)
      : call_(call),
        i_(i),
        groups_(call.moment(i) < 0 ? 0 : groups),
        size_(call.network.maps[i].channels * call.network.maps[i].channels),
        arena_(call.images * groups_ * size_ * sizeof(float)) {
    std::fill(sum(0, 0), sum(call.images, 0), 0.f);
  }

  // Add the rows from `begin` to `end` to the sum of a group.
  void add(const Maps<T>& maps, long n, long group, long begin, long end) const {
    if (!groups_ || begin == end) return;
    const Map& map = call_.network.maps[i_];
    const auto plan = product<T>((end - begin) * map.width, map.channels, true);
    const auto& d = plan->descriptor;
    const T* pixels = maps.pixels(i_, n, begin, end, call_.mask(i_, n));
    if (!pixels) return;
    plan->run({{DNNL_ARG_SRC, at(d.src_desc(), pixels)},
               {DNNL_ARG_WEIGHTS, at(d.weights_desc(), pixels)},
               {DNNL_ARG_DST, at(d.dst_desc(), sum(n, group))}});
  }

  void write() const {
    for (long n = 0; groups_ && n < call_.images; ++n) {
      float* result = call_.result(call_.moment(i_), n);
      std::memcpy(result, sum(n, 0), size_ * sizeof(float));
      for (long group = 1; group < groups_; ++group)
        for (long j = 0; j < size_; ++j) result[j] += sum(n, group)[j];
    }
  }

 private:
  float* sum(long n, long group) const { return static_cast<float*>(arena_.data()) + (n * groups_ + group) * size_; }

  const Call<T>& call_;
  const size_t i_;
  const long groups_, size_;
  const Arena arena_;
};

// The way back: the gradient of the pixels X of map i is X (G + G^T), where G is the gradient of their moments.
template <typename T>
class Mixing {
 public:
  Mixing(const Call<T>& call, size_t i) : call_(call), i_(i) {
    if (call.moment(i) < 0) return;
    const long c = call.network.maps[i].channels;
    const memory::desc plain({c, c}, memory::data_type::f32, Tag::ab);
    const auto packed = product<T>(1, c, false)->descriptor.weights_desc();
    std::vector<float> both(c * c);
    OneThread one_thread;
    for (long n = 0; n < call.images; ++n) {
      const float* gradient = call.gradient(call.moment(i), n);
      for (long j = 0; j < c; ++j)
        for (long k = 0; k < c; ++k) both[j * c + k] = gradient[j * c + k] + gradient[k * c + j];
      blocks_.emplace_back(packed.get_size());
      reorder(at(plain, both.data()), at(packed, blocks_.back().data()));
    }
  }

  // The gradient of the rows from `begin` to `end` that comes from what is asked for of this map, without a border
  // between them; null where nothing is.
  const float* rows(const Maps<T>& maps, long n, long begin, long end) const {
    const Map& map = call_.network.maps[i_];
    const long layer = call_.layer(i_), count = (end - begin) * map.row();
    const float* asked = layer < 0 ? nullptr : call_.gradient(layer, n) + begin * map.row();
    if (blocks_.empty()) return asked;
    float* sums = static_cast<float*>(scratch<4>(count * sizeof(float)));
    const auto plan = product<T>((end - begin) * map.width, map.channels, false);
    const auto& d = plan->descriptor;
    if (const T* pixels = maps.pixels(i_, n, begin, end, call_.mask(i_, n)))
      plan->run({{DNNL_ARG_SRC, at(d.src_desc(), pixels)},
                 {DNNL_ARG_WEIGHTS, at(d.weights_desc(), blocks_[n].data())},
                 {DNNL_ARG_DST, at(d.dst_desc(), sums)}});
    else
      std::fill(sums, sums + count, 0.f);
    for (long j = 0; asked && j < count; ++j) sums[j] += asked[j];
    return sums;
  }

 private:
  const Call<T>& call_;
  const size_t i_;
  std::deque<Arena> blocks_;
};

}  // namespace texjax
