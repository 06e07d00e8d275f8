// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth/storage/narrow.hpp>

#include "catch.hpp"
#include "on_device.hpp"
#include "tensors.hpp"

// tests/cuda compiles the same tests for a GPU, with fewer kinds of masks and samplers, because nvcc is slow on each.
#if defined(__CUDACC__)
#include <zeroth/backend/cuda.hpp>
#else
#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/eigen.hpp>
#include <zeroth/executor/thread_pool.hpp>

#include "executors.hpp"
#include "guarded_stream.hpp"
#endif

namespace zeroth_test {

#if defined(__CUDACC__)
template <class Body>
void for_each_backend(Body&& body) {
  body(OnDevice(zeroth::CudaBackend{}), std::string("cuda"));
}
#else
/// Calls body(backend, description) for each supported instruction set, each kind of executor, the Eigen backend, and
/// the CUDA backend's kernels run on the host. All must agree with ReferenceBackend.
template <class Body>
void for_each_backend(Body&& body) {
  ShuffledExecutor shuffled;
  zeroth::ThreadPool threads(4);
  for (zeroth::InstructionSet set : zeroth::every_instruction_set)
    if (zeroth::is_supported(set)) body(zeroth::CpuBackend{{}, set}, std::string(zeroth::to_string(set)));
  body(zeroth::CpuBackend{zeroth::AnyExecutor(shuffled)}, std::string("shuffled order"));
  body(zeroth::CpuBackend{zeroth::AnyExecutor(threads)}, std::string("threads"));
  body(zeroth::EigenBackend{}, std::string("eigen"));
  body(OnDevice(GuardedCudaBackend{GuardedStream{}}), std::string("cuda, its kernels on the host"));
}
#endif

/// A user's samplers: one value per block, and four.
struct Coin {
  ZEROTH_HOST_DEVICE zeroth::Array<float, 1> operator()(zeroth::RandomBlock const& b) const {
    return {(b[0] & 1U) != 0 ? 1.0F : -1.0F};
  }
  static constexpr std::string_view name() { return "coin"; }
  bool operator==(Coin const&) const = default;
};
struct ThreePoints {
  float spread = 1.5F;
  std::array<float, 4> operator()(zeroth::RandomBlock const& b) const {
    std::array<float, 4> z{};
    for (std::size_t i = 0; i < 4; ++i) z[i] = b[i] % 3 == 0 ? spread : b[i] % 3 == 1 ? -spread : 0.0F;
    return z;
  }
  static constexpr std::string_view name() { return "three-points"; }
  bool operator==(ThreePoints const&) const = default;
};

/// A user's rule that uses both of its arguments.
struct ThirdsBelow {
  float limit = 0.03F;
  ZEROTH_HOST_DEVICE bool operator()(float theta, std::uint64_t element) const {
    return element % 3 != 0 && theta < limit;
  }
  static constexpr std::string_view name() { return "thirds-below"; }
  bool operator==(ThirdsBelow const&) const = default;
};

/// Which special values a Slice contains. The sign and payload of a NaN are the only bits in which a GPU differs from a
/// CPU, so a GPU gets inputs that produce no NaN.
enum class Specials { all, without_nans };

#if defined(__CUDACC__)
constexpr Specials of_backends = Specials::without_nans;
#else
constexpr Specials of_backends = Specials::all;
#endif

/// The largest finite number of a type.
inline float largest(zeroth::DataType dtype) {
  switch (dtype) {
    case zeroth::DataType::bf16:
      return zeroth::float_of(0x7f7f0000U);
    case zeroth::DataType::f16:
      return 65504;
    case zeroth::DataType::f32:
      break;
  }
  return std::numeric_limits<float>::max();
}

/// Whether memory of that type contains a NaN.
inline bool has_nan(std::vector<std::byte> const& memory, zeroth::DataType dtype) {
  for (std::size_t at = 0; at + zeroth::size_of(dtype) <= memory.size(); at += zeroth::size_of(dtype)) {
    float value = 0;
    std::uint16_t narrowed = 0;
    if (dtype == zeroth::DataType::f32) {
      std::memcpy(&value, memory.data() + at, sizeof value);
    } else {
      std::memcpy(&narrowed, memory.data() + at, sizeof narrowed);
      value = widen(dtype, narrowed);
    }
    if (std::isnan(value)) return true;
  }
  return false;
}

/// A slice of a larger tensor, surrounded by memory that must not be touched.
class Slice {
 public:
  Slice(std::uint64_t size, std::uint64_t offset, zeroth::DataType dtype = zeroth::DataType::f32,
        std::uint64_t seed = 17, Specials specials = of_backends)
      : memory_((static_cast<std::size_t>(size) + 2 * margin) * zeroth::size_of(dtype)),
        parameter{"slice", zeroth::Role::matrix, {1, size}, dtype, nullptr, zeroth::stream_of("w"), offset} {
    parameter.data = begin();
    std::vector<float> values = normal_weights(static_cast<std::size_t>(size) + 2 * margin, seed + size);
    // Special values, spread over the tensor.
    std::vector<float> special{-0.0F, 0.0F, std::numeric_limits<float>::denorm_min(), largest(dtype), -largest(dtype)};
    if (specials == Specials::all) {
      constexpr float infinity = std::numeric_limits<float>::infinity();
      special.insert(special.end(),
                     {infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::max()});
    }
    for (std::size_t i = 0; i < size; i += 11) values[margin + i] = special[i / 11 % special.size()];
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t const narrowed = dtype == zeroth::DataType::f32 ? std::uint16_t{0} : narrow(dtype, values[i]);
      void const* const from = dtype == zeroth::DataType::f32 ? static_cast<void const*>(&values[i]) : &narrowed;
      std::memcpy(memory_.data() + i * zeroth::size_of(dtype), from, zeroth::size_of(dtype));
    }
  }
  Slice(Slice const& other) : memory_(other.memory_), parameter(other.parameter) { parameter.data = begin(); }
  Slice& operator=(Slice const&) = delete;

  /// The weights of an f32 slice.
  [[nodiscard]] float* data() { return static_cast<float*>(parameter.data); }

  /// The slice and its surroundings.
  [[nodiscard]] std::vector<std::byte> const& memory() const { return memory_; }

 private:
  static constexpr std::size_t margin = 130;

  [[nodiscard]] std::byte* begin() { return memory_.data() + margin * zeroth::size_of(parameter.dtype); }

  std::vector<std::byte> memory_;

 public:
  zeroth::Parameter parameter;
};

constexpr zeroth::DataType every_dtype[] = {zeroth::DataType::f32, zeroth::DataType::bf16, zeroth::DataType::f16};

/// Sizes and offsets: whole tiles, parts of one, parts at either end.
struct Extent {
  std::uint64_t size;
  std::uint64_t offset;
};
inline std::vector<Extent> extents() {
  return {{256, 0}, {1, 0}, {1, 127}, {5, 62}, {126, 1}, {300, 64}, {517, 333}, {129, (std::uint64_t{1} << 39) - 3}};
}

/// More than one chunk of work for the executor.
constexpr Extent several_chunks{100'003, 77};

/// The masks of a policy for a tensor, as the reference backend prepares them.
template <class Policy>
auto mask_of(Policy const& policy, zeroth::Parameter const& tensor) {
  zeroth::ParameterSet parameters;
  parameters.add(tensor);
  zeroth::ReferenceBackend const reference;
  return zeroth::prepare_mask(policy, parameters, zeroth::WeightReader(reference));
}

/// Every other third of a tensor, as the caller's bitmap.
inline zeroth::StoredMask stored_mask(zeroth::Parameter const& tensor) {
  return {{{tensor.name, std::vector<std::uint64_t>((tensor.size() + 63) / 64, 0x9249'2492'4924'9249U)}}};
}

/// Calls body(state, name) with the state of every kind of policy for that tensor.
template <class Body>
void for_each_mask(zeroth::Parameter const& tensor, Body&& body) {
  zeroth::SmallestMagnitude const small{0.5};
  zeroth::RandomMask const random{0.5, 9};
  body(mask_of(zeroth::Dense{}, tensor), "dense");
  body(mask_of(small, tensor), "smallest");
  body(mask_of(random, tensor), "random");
  body(mask_of(zeroth::RandomMask{0.9999999, 9}, tensor), "random, nothing active");
#if !defined(__CUDACC__)
  body(mask_of(zeroth::LargestMagnitude{0.75}, tensor), "largest");
  body(mask_of(both(small, random), tensor), "both");
#endif
  body(mask_of(stored_mask(tensor), tensor), "stored");
  body(mask_of(either(stored_mask(tensor), random), tensor), "either");
  body(mask_of(ThirdsBelow{}, tensor), "user's rule");
  body(mask_of(zeroth::StoredMask{}, tensor), "coverage none");
}

/// The words that give a remainder's place to four of every five elements of a tensor.
inline std::vector<std::uint64_t> words_of_places(zeroth::Parameter const& tensor) {
  zeroth::Bitmap bitmap(tensor);
  for (std::uint64_t element = tensor.offset; element < tensor.offset + tensor.size(); ++element)
    if (element % 5 != 3) bitmap.set(element);
  return bitmap.words();
}

/// Calls body(sampler) with every kind of sampler.
template <class Body>
void for_each_sampler(Body&& body) {
  body(zeroth::Gaussian{});
  body(zeroth::Rademacher{});
  body(Coin{});
#if !defined(__CUDACC__)
  body(zeroth::Uniform{});
  body(ThreePoints{});
#endif
}

}  // namespace zeroth_test
