// Convolutions of oneDNN with stride 1 over a strip of rows, without padding: plans cached by shape, kernels by content.
#pragma once

#include <dnnl.hpp>

#include <array>
#include <cstring>
#include <map>
#include <tuple>

#include "parallel.h"

#if DNNL_CPU_RUNTIME != DNNL_RUNTIME_OMP && DNNL_CPU_RUNTIME != DNNL_RUNTIME_SEQ && \
    DNNL_CPU_RUNTIME != DNNL_RUNTIME_THREADPOOL
#error "texjax needs a oneDNN that was built for OpenMP, a thread pool, or one thread."
#endif

namespace texjax {

using dnnl::memory;
using Tag = memory::format_tag;

struct bfloat16 {
  uint16_t bits;
};
template <typename T>
constexpr auto dtype = std::is_same_v<T, float> ? memory::data_type::f32 : memory::data_type::bf16;

inline const dnnl::engine& engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

inline dnnl::stream& stream() {
  thread_local dnnl::stream stream(engine());
  return stream;
}

inline memory at(const memory::desc& desc, const void* data) {
  return memory(desc, engine(), const_cast<void*>(data));
}

// A strip of `rows` outputs by `width` outputs of a kernel side x side. wide: the output is float32 in any case.
struct Shape {
  long rows, width, in, out, side;
  bool relu, wide;
  auto key() const { return std::make_tuple(rows, width, in, out, side, relu, wide); }
  memory::dims source() const { return {1, in, rows + side - 1, width + side - 1}; }
  memory::dims kernel() const { return {out, in, side, side}; }
  memory::dims result() const { return {1, out, rows, width}; }
};

// relu: with bias and ReLU.
template <typename T>
dnnl::convolution_forward::primitive_desc describe(const Shape& shape) {
  memory::desc source(shape.source(), dtype<T>, Tag::nhwc), kernel(shape.kernel(), dtype<T>, Tag::any);
  memory::desc result(shape.result(), shape.wide ? memory::data_type::f32 : dtype<T>, Tag::nhwc);
  memory::desc bias = shape.relu ? memory::desc({shape.out}, memory::data_type::f32, Tag::x) : memory::desc();
  const memory::dims ones{1, 1}, none{0, 0};
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto algorithm = dnnl::algorithm::convolution_direct;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
#if DNNL_VERSION_MAJOR >= 3
  if (shape.relu) after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f);
  attributes.set_post_ops(after);
  return {engine(), kind, algorithm, source, kernel, bias, result, ones, none, none, attributes};
#else
  if (shape.relu) after.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
  attributes.set_post_ops(after);
  return {{kind, algorithm, source, kernel, bias, result, ones, none, none}, attributes, engine()};
#endif
}

template <typename T>
dnnl::convolution_backward_weights::primitive_desc describe_weights(const Shape& shape) {
  memory::desc source(shape.source(), dtype<T>, Tag::nhwc), result(shape.result(), dtype<T>, Tag::nhwc);
  memory::desc kernel(shape.kernel(), memory::data_type::f32, Tag::any);
  memory::desc bias({shape.out}, memory::data_type::f32, Tag::x);
  const memory::dims ones{1, 1}, none{0, 0};
  const auto algorithm = dnnl::algorithm::convolution_direct;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), algorithm, source, kernel, bias, result, ones, none, none, describe<T>(shape), attributes};
#else
  return {{algorithm, source, kernel, bias, result, ones, none, none}, attributes, engine(), describe<T>(shape)};
#endif
}

template <typename Descriptor, typename Primitive>
struct Plan {
  explicit Plan(Descriptor descriptor) : descriptor(descriptor), primitive(descriptor) {}

  void run(std::unordered_map<int, memory> arguments) const {
    auto pad = descriptor.scratchpad_desc();
    arguments.insert({DNNL_ARG_SCRATCHPAD, at(pad, scratch<0>(pad.get_size()))});
    primitive.execute(stream(), arguments);
    stream().wait();
  }

  const Descriptor descriptor;
  const Primitive primitive;
};
using Convolution = Plan<dnnl::convolution_forward::primitive_desc, dnnl::convolution_forward>;
using KernelGradient = Plan<dnnl::convolution_backward_weights::primitive_desc, dnnl::convolution_backward_weights>;

// Compiling takes about a millisecond.
template <typename T, typename Result>
std::shared_ptr<const Result> plan(const Shape& shape) {
  static std::mutex mutex;
  static std::map<decltype(shape.key()), std::shared_ptr<const Result>> plans;
  std::lock_guard lock(mutex);
  if (plans.size() > 2000) plans.clear();
  auto& found = plans[shape.key()];
  if (!found) {
    OneThread one_thread;
    if constexpr (std::is_same_v<Result, Convolution>) {
      found = std::make_shared<const Result>(describe<T>(shape));
    } else {
      found = std::make_shared<const Result>(describe_weights<T>(shape));
    }
  }
  return found;
}

inline void reorder(const memory& from, const memory& to) {
  dnnl::reorder(from, to).execute(stream(), const_cast<memory&>(from), const_cast<memory&>(to));
  stream().wait();
}

// A fingerprint of numbers. A change of one number changes it for certain, as each lane is multiplied by an odd number.
using Digest = std::array<uint32_t, 64>;

inline Digest digest(const float* numbers, long n) {
  Digest lanes{};
  const long lane_count = lanes.size(), whole = n / lane_count * lane_count;
  const auto add = [&](long at, long count) {
    uint32_t bits[lanes.size()] = {};
    std::memcpy(bits, numbers + at, count * sizeof(float));
    for (long j = 0; j < lane_count; ++j) lanes[j] = lanes[j] * 0x9e3779b1u + bits[j];
  };
  for (long at = 0; at < whole; at += lane_count) add(at, lane_count);
  if (whole < n) add(whole, n - whole);
  return lanes;
}

struct Packed {
  Digest plain;
  bool backward;
  std::shared_ptr<Block> data;
  memory values;
};

// The kernel [side, side, in, out] as the plan wants it. backward: of the convolution that takes a gradient back, whose
// kernel is turned by 180 degrees, with `in` and `out` exchanged. The last few kernels of a shape are kept, and found
// by the digest of their values, which takes a small part of the time of packing.
inline std::shared_ptr<const Packed> pack(const float* kernel, const Digest& plain, const Shape& shape, bool backward,
                                          const memory::desc& desc) {
  static std::mutex mutex;
  static std::map<std::tuple<long, long, long>, std::vector<std::shared_ptr<const Packed>>> kept;
  const long in = shape.in, out = shape.out, taps = shape.side * shape.side, size = taps * in * out;
  std::lock_guard lock(mutex);
  auto& list = kept[{in, out, shape.side}];
  for (const auto& packed : list) {
    if (packed->backward == backward && packed->plain == plain && packed->values.get_desc() == desc) return packed;
  }
  OneThread one_thread;
  std::vector<float> turned;
  if (backward) {
    turned.resize(size);
    for (long t = 0; t < taps; ++t)
      for (long i = 0; i < in; ++i)
        for (long o = 0; o < out; ++o) turned[(t * in + i) * out + o] = kernel[((taps - 1 - t) * out + o) * in + i];
  }
  auto data = std::make_shared<Block>(desc.get_size());
  memory values = at(desc, data->data);
  memory::desc hwio(shape.kernel(), memory::data_type::f32, Tag::hwio);
  reorder(at(hwio, backward ? turned.data() : kernel), values);
  auto packed = std::make_shared<const Packed>(Packed{plain, backward, data, values});
  list.insert(list.begin(), packed);
  if (list.size() > 12) list.pop_back();
  return packed;
}

}  // namespace texjax
