// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/cuda/apply.hpp>
#include <zeroth/backend/cuda/expand.hpp>
#include <zeroth/backend/cuda/histogram.hpp>
#include <zeroth/backend/cuda/kernel.hpp>
#include <zeroth/backend/cuda/mask_words.hpp>
#include <zeroth/error.hpp>
#include <zeroth/storage/widen.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// Runs kernels: a GPU's stream (CudaStream in stream.hpp) or, in the tests, loops on the host.
///
/// 1. `launch(kernel, blocks, what)` runs every phase of the kernel in order, after all earlier work. It rejects what
///    check_launch rejects.
/// 2. `allocate(bytes, what)` returns zeroed memory that kernels can access; `zero(memory, bytes, what)` zeroes it.
/// 3. `transfer(to, from, bytes, what)` copies between host and device, in either direction, and waits.
/// 4. `reaches(memory)` says whether kernels can use a pointer; `blocks_at_once()` is how many blocks keep the device
///    busy.
/// 5. `synchronize(what)` waits for all earlier work.
/// 6. `upload(to, from, bytes, what)` is optional: it copies from host memory, which may change once it returns, and
///    need not wait.
/// 7. Errors name `what` was being done.
template <class T>
concept Stream = requires(T const& stream, void* to, void const* from, std::size_t bytes, std::string const& what) {
  { stream.allocate(bytes, what) } -> std::convertible_to<std::shared_ptr<std::byte>>;
  stream.zero(to, bytes, what);
  stream.transfer(to, from, bytes, what);
  { stream.reaches(from) } -> std::convertible_to<bool>;
  { stream.blocks_at_once() } -> std::convertible_to<std::uint64_t>;
  stream.synchronize(what);
};

/// A Stream with a second queue, for work that may run at the same time.
///
/// 1. While the result of `side()` lives, all work of the stream and its copies goes to the side queue. Each queue
///    keeps its own order; between the two there is none.
/// 2. `record(event)` marks the current end of the queue; `wait(event)` holds the queue until the other one has reached
///    the latest mark of the event. `make_event()` makes events; copies of one are the same event.
/// 3. `cache_bytes()` is the size of the cache that the whole device shares.
template <class T>
concept StreamWithSide = Stream<T> && requires(T const& stream, typename T::Event const& event) {
  stream.side();
  stream.record(event);
  stream.wait(event);
  { stream.make_event() } -> std::same_as<typename T::Event>;
  { stream.cache_bytes() } -> std::convertible_to<std::size_t>;
};

/// The passes of a Backend as kernels on a stream. Everything but the stream is the same on a GPU and in the tests.
///
/// The workspace is made once; no pass allocates. Copies share stream and workspace, and their passes run in one order:
/// only one thread at a time may use them, which is less than Backend promises for expand and preview.
template <Stream Device>
class BasicBackend {
 public:
  explicit BasicBackend(Device device)
      : device_(std::move(device)), shared_(std::make_shared<Shared>(device_.allocate(workspace_bytes, "workspace"))) {}

  /// See Backend, as for all that follows. Returns once the work is queued.
  template <Sampler S, MaskRule Rule>
  void expand(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
              std::span<Point const> lanes, float epsilon, std::uint64_t first, std::uint64_t count,
              std::span<float* const> panels) const {
    expand_each(tensor, mask, noise, lanes, epsilon, {.first = first, .count = count},
                [&](std::size_t k) -> void* { return panels[k]; });
  }

  /// See PanelRequest.
  template <Sampler S, MaskRule Rule>
  void expand_to(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
                 std::span<Point const> lanes, float epsilon, PanelRequest const& request,
                 std::span<void* const> panels) const {
    expand_each(tensor, mask, noise, lanes, epsilon, request, [&](std::size_t k) { return panels[k]; });
  }

  template <Sampler S, MaskRule Rule>
  std::uint64_t apply(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                      NoiseField<S> const& noise, ElementwisePass const& pass) const {
    auto const kernel = pass_kernel(tensor, source, mask, noise, pass, TermsChange{});
    return count_active(kernel, "apply", tensor);
  }

  template <Sampler S, MaskRule Rule, class R>
  std::uint64_t apply_rule(Parameter const& tensor, void const* source, TensorMask<Rule> const& mask,
                           NoiseField<S> const& noise, ElementwisePass const& pass, R const& rule, float* state) const {
    auto const kernel = pass_kernel(tensor, source, mask, noise, pass, RuleChange<R>{rule, state, tensor.size()});
    return count_active(kernel, "apply_rule", tensor);
  }

  /// Returns once the work is queued.
  template <Sampler S, MaskRule Rule>
  void preview(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
               ElementwisePass const& pass, std::uint64_t first, std::uint64_t count, float* panel) const {
    auto kernel = pass_kernel(tensor, nullptr, mask, noise, pass, TermsChange{});
    kernel.first = first;
    kernel.count = count;
    kernel.panel = panel;
    launch(kernel, TileShare<S>::threads_of(tensor.offset + first, count), "preview", tensor);
  }

  template <MaskRule Rule>
  void mask_bits(Parameter const& tensor, TensorMask<Rule> const& mask, std::span<std::uint64_t> words) const {
    check_aligned(tensor, tensor.data);
    std::uint64_t const origin = tensor.offset / tile_size * tile_size;
    bool const in_place = device_.reaches(words.data());
    std::size_t const part = in_place ? words.size() : staging_bytes / sizeof(std::uint64_t);
    for (std::size_t first = 0; first < words.size(); first += part) {
      std::size_t const count = std::min(part, words.size() - first);
      auto* const out = in_place ? words.data() : reinterpret_cast<std::uint64_t*>(at(staging_at));
      launch(MaskWordsKernel<Rule>{tensor.data, tensor.dtype, tensor.offset, tensor.size(), origin + first * 64, mask,
                                   count, out},
             count, "mask_bits", tensor);
      if (!in_place)
        device_.transfer(words.data() + first, out, count * sizeof(std::uint64_t), what("mask_bits", tensor));
    }
  }

  /// Radix selection by digits of 11, 10 and 10 bits: three passes over the weights.
  [[nodiscard]] float kth_magnitude(std::span<Parameter const* const> tensors, std::uint64_t k) const {
    std::uint64_t rank = k - 1;
    std::uint32_t prefix = 0;
    unsigned shift = 31;
    for (unsigned digit_bits : {11U, 10U, 10U}) {
      shift -= digit_bits;
      std::vector<unsigned long long> counts(std::size_t{1} << digit_bits);
      std::size_t const bytes = counts.size() * sizeof(unsigned long long);
      device_.zero(at(counts_at), bytes, "kth_magnitude");
      for (Parameter const* tensor : tensors) {
        check_aligned(*tensor, tensor->data);
        HistogramKernel const kernel{tensor->data,
                                     tensor->dtype,
                                     tensor->size(),
                                     shift,
                                     digit_bits,
                                     prefix,
                                     reinterpret_cast<unsigned long long*>(at(counts_at))};
        std::uint64_t const blocks = (tensor->size() + block_threads - 1) / block_threads;
        std::uint64_t const at_once = std::max(device_.blocks_at_once(), HistogramKernel::least_blocks(tensor->size()));
        device_.launch(kernel, std::min(blocks, at_once), what("kth_magnitude", *tensor));
      }
      device_.transfer(counts.data(), at(counts_at), bytes, "kth_magnitude");
      std::uint32_t digit = 0;
      while (digit + 1 < counts.size() && rank >= counts[digit]) rank -= counts[digit++];
      prefix = prefix << digit_bits | digit;
    }
    return float_of(prefix);
  }

  void read(Parameter const& tensor, std::uint64_t first, std::span<float> out) const {
    void const* const from = address(tensor.data, tensor.dtype, first);
    if (tensor.dtype == DataType::f32)
      return device_.transfer(out.data(), from, out.size_bytes(), what("read", tensor));
    std::vector<std::uint16_t> stored(out.size());
    device_.transfer(stored.data(), from, stored.size() * sizeof(std::uint16_t), what("read", tensor));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = widen(tensor.dtype, stored[i]);
  }

  void copy(Parameter const& tensor, std::span<std::byte> out) const {
    device_.transfer(out.data(), tensor.data, static_cast<std::size_t>(tensor.bytes()), what("copy", tensor));
  }

  /// See BackendWithMemory.
  [[nodiscard]] std::shared_ptr<std::byte> allocate(std::size_t bytes) const {
    return device_.allocate(bytes, "what is kept with the weights");
  }
  void transfer(void* to, void const* from, std::size_t bytes) const { device_.transfer(to, from, bytes, "transfer"); }

  /// From now on `apply` and `apply_rule` return 0 without waiting; counted() waits, and returns the sum of what they
  /// would have returned.
  void count_later() const {
    shared_->counts_later = true;
    device_.zero(at(active_at), sizeof(unsigned long long), "apply");
    if constexpr (requires { device_.collect(); }) device_.collect();
  }
  [[nodiscard]] std::uint64_t counted() const {
    shared_->counts_later = false;
    unsigned long long count = 0;
    device_.transfer(&count, at(active_at), sizeof count, "apply");
    return count;
  }

  /// Waits for all earlier work of the backend and its copies.
  void synchronize() const { device_.synchronize("synchronize"); }

  [[nodiscard]] static constexpr bool supports(DataType /*dtype*/) noexcept { return true; }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "cuda"; }
  [[nodiscard]] Device const& device() const noexcept { return device_; }

  /// Device memory of the backend itself, in bytes.
  [[nodiscard]] static constexpr std::size_t bytes() noexcept { return workspace_bytes; }

 private:
  // The workspace: a count of weights, a histogram, two lists of terms, and words to copy to the host.
  static constexpr std::size_t active_at = 0;
  static constexpr std::size_t counts_at = 256;
  static constexpr std::size_t counts_bytes = HistogramKernel::max_bins * sizeof(unsigned long long);
  static constexpr std::size_t restore_at = counts_at + counts_bytes;
  static constexpr std::size_t terms_bytes = max_terms * sizeof(NoiseTerm);
  static constexpr std::size_t terms_at = restore_at + terms_bytes;
  static constexpr std::size_t staging_at = terms_at + terms_bytes;
  static constexpr std::size_t staging_bytes = std::size_t{1} << 18;
  static constexpr std::size_t workspace_bytes = staging_at + staging_bytes;

  struct Shared {
    explicit Shared(std::shared_ptr<std::byte> memory) : workspace(std::move(memory)) {}
    std::shared_ptr<std::byte> workspace;
    bool counts_later = false;
  };

  [[nodiscard]] void* at(std::size_t offset) const noexcept { return shared_->workspace.get() + offset; }

  /// Address of element i in memory of that type.
  [[nodiscard]] static void const* address(void const* memory, DataType dtype, std::uint64_t i) noexcept {
    return static_cast<std::byte const*>(memory) + i * size_of(dtype);
  }

  [[nodiscard]] static std::string what(char const* operation, Parameter const& tensor) {
    return std::string(operation) + " of '" + tensor.name + "'";
  }

  static void check_aligned(Parameter const& tensor, void const* memory) {
    if (reinterpret_cast<std::uintptr_t>(memory) % size_of(tensor.dtype) != 0)
      throw InvalidArgument("parameter '" + tensor.name + "': backend 'cuda' needs weights of " +
                            std::string(to_string(tensor.dtype)) + " at a multiple of " +
                            std::to_string(size_of(tensor.dtype)) + " bytes");
  }

  template <class Kernel>
  void launch(Kernel const& kernel, std::uint64_t threads, char const* operation, Parameter const& tensor) const {
    if (threads == 0) return;
    device_.launch(kernel, (threads + block_threads - 1) / block_threads, what(operation, tensor));
  }

  /// Implements expand and expand_to. @param panel called as panel(lane); returns the beginning of that lane's panel
  template <Sampler S, MaskRule Rule, class Panel>
  void expand_each(Parameter const& tensor, TensorMask<Rule> const& mask, NoiseField<S> const& noise,
                   std::span<Point const> lanes, float epsilon, PanelRequest const& request, Panel const& panel) const {
    check_aligned(tensor, tensor.data);
    using Kernel = ExpandKernel<S, Rule>;
    std::uint64_t const first = tensor.offset + request.first;
    std::uint64_t const piece_threads = TileShare<S>::most_threads_of(request.count);
    for (std::size_t begin = 0; begin < lanes.size(); begin += Kernel::max_lanes) {
      Kernel kernel{address(tensor.data, tensor.dtype, request.first),
                    tensor.dtype,
                    request.dtype,
                    first,
                    request.count,
                    tensor.stream,
                    mask,
                    noise,
                    0,
                    {},
                    request.pieces,
                    request.pieces == nullptr ? 1 : request.piece_count,
                    piece_threads};
      for (std::size_t k = begin; k < std::min(lanes.size(), begin + Kernel::max_lanes); ++k)
        kernel.lane[kernel.lanes++] = {panel(k), static_cast<float>(lanes[k].sign) * epsilon, lanes[k].sample,
                                       lanes[k].sign != 0};
      std::uint64_t const threads = request.pieces == nullptr ? TileShare<S>::threads_of(first, request.count)
                                                              : request.piece_count * piece_threads;
      launch(kernel, threads, "expand", tensor);
    }
  }

  /// Terms in memory that a kernel can access.
  [[nodiscard]] Terms terms(std::span<NoiseTerm const> list, std::size_t offset, Parameter const& tensor) const {
    Terms result;
    result.count = static_cast<unsigned>(list.size());
    if (list.size() <= Terms::few_terms) {
      std::copy(list.begin(), list.end(), result.few.begin());
      return result;
    }
    if (list.size_bytes() > terms_bytes)
      throw InvalidArgument(what("a pass", tensor) + " takes at most " + std::to_string(max_terms) + " terms, got " +
                            std::to_string(list.size()));
    // A transfer would end what a stream is collecting.
    if constexpr (requires { device_.upload(at(offset), list.data(), list.size_bytes(), what("terms", tensor)); })
      device_.upload(at(offset), list.data(), list.size_bytes(), what("terms", tensor));
    else
      device_.transfer(at(offset), list.data(), list.size_bytes(), what("terms", tensor));
    result.many = static_cast<NoiseTerm const*>(at(offset));
    return result;
  }

  template <Sampler S, MaskRule Rule, class Change>
  [[nodiscard]] ApplyKernel<S, Rule, Change> pass_kernel(Parameter const& tensor, void const* source,
                                                         TensorMask<Rule> const& mask, NoiseField<S> const& noise,
                                                         ElementwisePass const& pass, Change const& change) const {
    check_aligned(tensor, tensor.data);
    if (source == nullptr) source = tensor.data;
    check_aligned(tensor, source);
    return {tensor.data,
            source,
            tensor.dtype,
            tensor.offset,
            0,
            tensor.size(),
            tensor.stream,
            mask,
            noise,
            terms(pass.restore, restore_at, tensor),
            terms(pass.terms, terms_at, tensor),
            pass.decay,
            pass.rounding,
            change,
            pass.remainders,
            nullptr,
            static_cast<unsigned long long*>(at(active_at))};
  }

  /// Runs a pass, and returns how many weights were active.
  template <Sampler S, MaskRule Rule, class Change>
  std::uint64_t count_active(ApplyKernel<S, Rule, Change> const& kernel, char const* operation,
                             Parameter const& tensor) const {
    bool const waits = !shared_->counts_later;
    if (waits) device_.zero(at(active_at), sizeof(unsigned long long), what(operation, tensor));
    launch(kernel, TileShare<S>::threads_of(tensor.offset, tensor.size()), operation, tensor);
    if (!waits) return 0;
    unsigned long long count = 0;
    device_.transfer(&count, at(active_at), sizeof count, what(operation, tensor));
    return count;
  }

  Device device_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace zeroth::ZEROTH_ISA::cuda
