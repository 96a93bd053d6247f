// A convolutional network on CPU by oneDNN, as calls of XLA's FFI: the activations of an image, and their gradients.
//
// Between the layers, numbers are float32 or bfloat16 in plain channels-last maps. Each layer is computed in strips of
// rows, one task each: the convolution with bias and ReLU by oneDNN and, while the strip is in the cache, its border,
// the pooling after it, and its copy in float32 where the layer is asked for. The way back is again convolutions, with
// turned kernels, followed by the ReLU's mask.

#include <string>

#include "backward.h"
#include "forward.h"

namespace ffi = xla::ffi;

namespace texjax {
namespace {

// The index of an operand's item for the image `n` of a batch; `expand_dims` gives 1 for axes that it does not have.
long item(long n, const std::vector<long>& batch, ffi::Span<const int64_t> own) {
  long index = 0, scale = 1;
  for (long axis = long(batch.size()) - 1; axis >= 0; --axis) {
    long at = n % batch[axis];
    n /= batch[axis];
    if (own[axis] == 1) continue;
    index += at * scale;
    scale *= own[axis];
  }
  return index;
}

struct Settings {
  ffi::Span<const int64_t> sides, channels, layers, moments;
  int64_t padding, max, bf16, height, width, depth;
};

// Pointers to the items of each image: operands[i][n]. The base rank of an operand is that without batch axes.
class Items {
 public:
  Items(std::vector<long> batch) : batch_(std::move(batch)) {
    for (long size : batch_) images_ *= size;
  }
  long images() const { return images_; }

  // bytes: of one item.
  std::vector<char*> of(const ffi::AnyBuffer& buffer, long bytes) const {
    auto dims = buffer.dimensions();
    long count = 1;
    for (size_t axis = 0; axis < batch_.size(); ++axis) count *= dims[axis];
    if (long(buffer.size_bytes()) != count * bytes) throw std::invalid_argument("a buffer does not fit the network");
    std::vector<char*> items;
    for (long n = 0; n < images_; ++n)
      items.push_back(static_cast<char*>(buffer.untyped_data()) + item(n, batch_, dims) * bytes);
    return items;
  }

 private:
  std::vector<long> batch_;
  long images_ = 1;
};

// Results have all axes of the batch, before those of one image.
std::vector<long> batch_of(const ffi::RemainingRets& results, size_t rank) {
  auto dims = (*results.get<ffi::AnyBuffer>(0))->dimensions();
  return {dims.begin(), dims.end() - rank};
}

template <typename T>
Call<T> call(ffi::ThreadPool& pool, const Settings& s) {
  Network network(s.height, s.width, s.depth, s.sides.begin(), s.channels.begin(), s.sides.size(), s.padding, s.max);
  return {pool, std::move(network), {s.layers.begin(), s.layers.end()}, {s.moments.begin(), s.moments.end()}};
}

// The bytes of the kernel and the bias of each convolution, and of each layer and each matrix of moments.
template <typename T>
std::pair<std::vector<long>, std::vector<long>> sizes(const Call<T>& c) {
  const Network& net = c.network;
  std::pair<std::vector<long>, std::vector<long>> sizes;
  for (size_t i = 0; i < net.operations.size(); ++i) {
    const auto [side, channels] = net.operations[i];
    if (side) sizes.first.insert(sizes.first.end(), {4 * side * side * net.maps[i].channels * channels, 4 * channels});
  }
  for (int64_t i : c.layers) sizes.second.push_back(4 * net.maps.at(i + 1).height * net.maps[i + 1].row());
  for (int64_t i : c.moments) sizes.second.push_back(4 * net.maps.at(i + 1).channels * net.maps[i + 1].channels);
  return sizes;
}

// Point at the items of all images. rank: of the first result, without the axes of the batch; sizes in bytes. The
// operands of masks may follow.
template <typename T>
void fill(Call<T>& c, ffi::RemainingArgs in, ffi::RemainingRets out, size_t rank, std::vector<long> operands,
          const std::vector<long>& results) {
  c.masked = in.size() > operands.size();
  for (int64_t i : c.moments)
    if (c.masked) operands.push_back(4 * (c.network.maps.at(i + 1).height + c.network.maps[i + 1].width));
  if (in.size() != operands.size() || out.size() != results.size())
    throw std::invalid_argument("the number of buffers does not fit the network");
  Items items(batch_of(out, rank));
  c.images = items.images();
  for (size_t i = 0; i < in.size(); ++i) c.operands.push_back(items.of(*in.get<ffi::AnyBuffer>(i), operands[i]));
  for (size_t i = 0; i < out.size(); ++i) c.results.push_back(items.of(**out.get<ffi::AnyBuffer>(i), results[i]));
}

// Operands: the image, kernel and bias of each convolution, and the masks, if any. Results: the layers, the moments, and all maps where
// they are kept.
template <typename T>
struct ForwardCall {
  static void run(ffi::ThreadPool& pool, ffi::RemainingArgs in, ffi::RemainingRets out, const Settings& settings) {
    auto c = call<T>(pool, settings);
    auto [operands, results] = sizes(c);
    operands.insert(operands.begin(), 4 * c.network.maps[0].height * c.network.maps[0].row());
    if (out.size() > results.size()) results.push_back(c.network.size * sizeof(T));
    fill(c, in, out, c.layers.empty() ? 2 : 3, operands, results);
    forward(c);
  }
};

// Operands: the kept maps, kernel and bias of each convolution, the gradient of each layer and of each matrix of moments,
// and the masks, if any. The result is the gradient of the image or, with more than one result, those of the kernels and
// biases.
template <typename T>
struct BackwardCall {
  static void run(ffi::ThreadPool& pool, ffi::RemainingArgs in, ffi::RemainingRets out, const Settings& settings) {
    auto c = call<T>(pool, settings);
    auto [operands, gradients] = sizes(c);
    auto results = operands;
    if (out.size() == 1) results = {4 * c.network.maps[0].height * c.network.maps[0].row()};
    operands.insert(operands.begin(), c.network.size * sizeof(T));
    operands.insert(operands.end(), gradients.begin(), gradients.end());
    fill(c, in, out, out.size() == 1 ? 3 : 4, operands, results);
    backward(c);
  }
};

// The handler of a call. Run: which of the two it is, for numbers of a type.
template <template <typename> typename Run>
ffi::Error call_network(ffi::ThreadPool pool, ffi::RemainingArgs in, ffi::RemainingRets out,
                        ffi::Span<const int64_t> sides, ffi::Span<const int64_t> channels,
                        ffi::Span<const int64_t> layers, ffi::Span<const int64_t> moments,
                        ffi::Span<const int64_t> shape, int64_t padding, int64_t max, int64_t bf16) {
  Settings settings{sides, channels, layers, moments, padding, max, bf16, shape[0], shape[1], shape[2]};
  try {
    bf16 ? Run<bfloat16>::run(pool, in, out, settings) : Run<float>::run(pool, in, out, settings);
    return ffi::Error::Success();
  } catch (const std::exception& error) {
    return ffi::Error::Internal(std::string("oneDNN: ") + error.what());
  }
}

auto binding() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .RemainingArgs()
      .RemainingRets()
      .Attr<ffi::Span<const int64_t>>("sides")
      .Attr<ffi::Span<const int64_t>>("channels")
      .Attr<ffi::Span<const int64_t>>("layers")
      .Attr<ffi::Span<const int64_t>>("moments")
      .Attr<ffi::Span<const int64_t>>("shape")
      .Attr<int64_t>("padding")
      .Attr<int64_t>("max")
      .Attr<int64_t>("bf16");
}

}  // namespace
}  // namespace texjax

XLA_FFI_DEFINE_HANDLER_SYMBOL(texjax_forward, texjax::call_network<texjax::ForwardCall>, texjax::binding());
XLA_FFI_DEFINE_HANDLER_SYMBOL(texjax_backward, texjax::call_network<texjax::BackwardCall>, texjax::binding());

extern "C" {

// The version of jaxlib whose headers this was built with, as "0.10.2".
const char* texjax_jaxlib() { return TEXJAX_JAXLIB; }

// What the calls take and return, see `native_library.INTERFACE`.
int texjax_interface() { return TEXJAX_INTERFACE; }

// The version of oneDNN at run time, as 20603.
int texjax_onednn() {
  const dnnl_version_t* version = dnnl_version();
  return version->major * 10000 + version->minor * 100 + version->patch;
}

// The processor's instructions as oneDNN sees them: 1 for AVX-512, 2 for AVX-512 with bfloat16, 0 for less.
int texjax_processor() {
  using dnnl::cpu_isa;
  int isa = int(dnnl::get_effective_cpu_isa());
  auto has = [&](cpu_isa which) { return (isa & int(which)) == int(which); };
  return has(cpu_isa::avx512_core_bf16) ? 2 : has(cpu_isa::avx512_core) ? 1 : 0;
}
}
