// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/split_mix.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth_model/adapter/float_parameters.hpp>
#include <zeroth_model/adapter/targets.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/weight_tensor.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Which weights of a matrix a sparse delta has.
enum class DeltaChoice : std::uint8_t {
  smallest,  ///< those of the smallest magnitude, as Sparse MeZO's mask
  largest,
  random,
};

[[nodiscard]] constexpr std::string_view to_string(DeltaChoice choice) noexcept {
  switch (choice) {
    case DeltaChoice::smallest:
      return "smallest";
    case DeltaChoice::largest:
      return "largest";
    case DeltaChoice::random:
      return "random";
  }
  return "unknown";
}

/// Options of a new sparse delta.
struct DeltaOptions {
  double share = 0.01;  ///< of the weights of each matrix, in (0, 1]
  DeltaChoice choice = DeltaChoice::smallest;
  /// Globs over the names of the linear layers' matrices; a matrix that matches one has a delta.
  std::vector<std::string> targets{"*"};
  std::uint64_t seed = 0;  ///< of a random choice

  bool operator==(DeltaOptions const&) const = default;

  /// @throws InvalidArgument if the share is out of range
  void check() const {
    if (!(share > 0) || !(share <= 1))
      throw InvalidArgument("delta share must be > 0 and at most 1, got " + number_text(share));
  }
};

namespace detail {

/// The places in a matrix with the smallest keys, as many as wanted. Of equal keys, which quantised weights have in
/// plenty, evenly spread ones are taken. Reads the tensor three times, a row at a time.
class PlaceSelection {
 public:
  PlaceSelection(WeightTensor const& tensor, DeltaChoice choice, std::uint64_t seed)
      : tensor_(tensor), choice_(choice), start_(split_mix(seed ^ std::uint64_t{stream_of(tensor.name)} << 32)) {}

  [[nodiscard]] SparsePlaces smallest(std::uint64_t wanted) const {
    // The key of the last one: its upper 16 bits, then its lower.
    std::uint64_t rank = wanted - 1;
    std::uint32_t const upper = digit(rank, [](std::uint32_t key) { return Digit{key >> 16, true}; });
    std::uint32_t const lower = digit(rank, [upper](std::uint32_t key) {
      return Digit{key & 0xffffU, key >> 16 == upper};
    });
    std::uint32_t const last = upper << 16 | lower;
    std::uint64_t equal = 0;
    for_each_key([&](std::uint64_t, std::uint32_t, std::uint32_t key) { equal += key == last; });
    std::uint64_t const wanted_equal = rank + 1;
    SparsePlaces places;
    places.row_begins.assign(static_cast<std::size_t>(tensor_.shape.rows) + 1, 0);
    places.columns.reserve(static_cast<std::size_t>(wanted));
    std::uint64_t seen = 0;
    for_each_key([&](std::uint64_t row, std::uint32_t column, std::uint32_t key) {
      if (key > last) return;
      if (key == last) {
        ++seen;
        if (seen * wanted_equal / equal == (seen - 1) * wanted_equal / equal) return;
      }
      places.columns.push_back(column);
      places.row_begins[static_cast<std::size_t>(row) + 1] = places.columns.size();
    });
    // Rows without places.
    for (std::size_t r = 1; r < places.row_begins.size(); ++r)
      places.row_begins[r] = std::max(places.row_begins[r], places.row_begins[r - 1]);
    return places;
  }

 private:
  struct Digit {
    std::uint32_t value;
    bool counts;
  };

  template <class Visit>
  void for_each_key(Visit const& visit) const {
    std::vector<float> row(static_cast<std::size_t>(tensor_.shape.columns));
    for (std::uint64_t r = 0; r < tensor_.shape.rows; ++r) {
      if (choice_ != DeltaChoice::random) decode_values(tensor_, r * row.size(), row);
      for (std::size_t c = 0; c < row.size(); ++c) visit(r, static_cast<std::uint32_t>(c), key_of(r, c, row));
    }
  }

  [[nodiscard]] std::uint32_t key_of(std::uint64_t r, std::size_t c, std::vector<float> const& row) const {
    if (choice_ == DeltaChoice::random) return static_cast<std::uint32_t>(split_mix(start_ + r * row.size() + c) >> 32);
    std::uint32_t const magnitude = bits_of(row[c]) & 0x7fffffffU;
    return choice_ == DeltaChoice::smallest ? magnitude : ~magnitude;
  }

  /// The digit of the key with that rank; the rank becomes that among keys with this digit.
  template <class Of>
  [[nodiscard]] std::uint32_t digit(std::uint64_t& rank, Of const& of) const {
    std::vector<std::uint64_t> counts(1U << 16, 0);
    for_each_key([&](std::uint64_t, std::uint32_t, std::uint32_t key) {
      Digit const d = of(key);
      counts[d.value] += d.counts;
    });
    std::uint32_t found = 0;
    for (; rank >= counts[found]; ++found) rank -= counts[found];
    return found;
  }

  WeightTensor const& tensor_;
  DeltaChoice choice_;
  std::uint64_t start_;
};

}  // namespace detail

/// Some weights of each matrix as parameters: the values at places that are chosen once, beside weights that are only
/// read. A matrix is its own decoded rows with these values in place of theirs.
///
/// Those of a tensor called NAME are the parameter NAME.delta, an f32 matrix of one row, with the noise stream of that
/// name. A place takes 4 bytes beside its value's 4.
///
/// The values are this object's, in memory that stays in place when it is moved.
class SparseDelta {
 public:
  /// The values of the weights at the chosen places: as yet the delta changes nothing.
  /// @param base must outlive this object
  /// @throws InvalidArgument if the share is out of range, a glob matches no matrix, or the weights are not on the host
  SparseDelta(DecoderWeights const& base, DeltaOptions const& options, AnyExecutor executor = {})
      : SparseDelta(AtPlaces{}, base, choose(base, options, executor)) {}

  /// Places and current values of a tensor's weights.
  struct Chosen {
    std::size_t tensor;  ///< index in the decoder's tensors
    SparsePlaces places;
  };

  /// The values, to tune.
  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_.set(); }

  /// The decoder's tensors, as they are with the delta.
  [[nodiscard]] std::span<WeightTensor const> weight_tensors() const noexcept { return tensors_; }

  /// The tensors that have a delta, in the order of parameters().
  [[nodiscard]] std::span<Chosen const> chosen() const noexcept { return chosen_; }

  /// The values of a parameter.
  [[nodiscard]] std::span<float> values(std::size_t parameter) noexcept { return parameters_.values(parameter); }
  [[nodiscard]] std::span<float const> values(std::size_t parameter) const noexcept {
    return parameters_.values(parameter);
  }

  /// Bytes of values and places.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t total = parameters().bytes();
    for (Chosen const& chosen : chosen_) total += chosen.places.bytes();
    return total;
  }

 private:
  struct AtPlaces {};

  SparseDelta(AtPlaces /*tag*/, DecoderWeights const& base, std::vector<Chosen> chosen)
      : tensors_(base.weight_tensors().begin(), base.weight_tensors().end()),
        chosen_(std::move(chosen)),
        parameters_(specs_of(tensors_, chosen_)) {
    std::vector<float> row;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      WeightTensor& tensor = tensors_[chosen_[i].tensor];
      SparsePlaces const& places = chosen_[i].places;
      std::span<float> const values = parameters_.values(i);
      row.resize(static_cast<std::size_t>(tensor.shape.columns));
      for (std::size_t r = 0; r + 1 < places.row_begins.size(); ++r) {
        if (places.row_begins[r] == places.row_begins[r + 1]) continue;
        decode_values(tensor, r * row.size(), row);
        for (auto at = static_cast<std::size_t>(places.row_begins[r]); at < places.row_begins[r + 1]; ++at)
          values[at] = row[places.columns[at]];
      }
      tensor.tuned = Tuned::some_values;
      tensor.parameter = i;
      tensor.theta = values.data();
      tensor.places = &places;
    }
    // What is not in the delta is not tuned, even if it could be.
    for (WeightTensor& tensor : tensors_)
      if (tensor.tuned == Tuned::values) tensor.tuned = Tuned::nothing;
  }

  static std::vector<TensorSpec> specs_of(std::vector<WeightTensor> const& tensors, std::vector<Chosen> const& chosen) {
    std::vector<TensorSpec> specs;
    for (Chosen const& c : chosen)
      specs.push_back({tensors[c.tensor].name + ".delta", Role::matrix, {1, c.places.size()}});
    return specs;
  }

  static std::vector<Chosen> choose(DecoderWeights const& base, DeltaOptions const& options, AnyExecutor executor) {
    options.check();
    if (!base.on_host()) throw InvalidArgument("sparse delta: expected weights in host memory, found a backend's");
    std::span<WeightTensor const> const tensors = base.weight_tensors();
    std::vector<Chosen> chosen;
    for (std::size_t i : matching_matrices(base, options.targets, "delta target")) chosen.push_back({i, {}});
    executor.parallel_for(chosen.size(), [&](std::size_t i) {
      WeightTensor const& tensor = tensors[chosen[i].tensor];
      auto const wanted = static_cast<std::uint64_t>(std::llround(options.share * static_cast<double>(tensor.size())));
      chosen[i].places = detail::PlaceSelection(tensor, options.choice, options.seed)
                             .smallest(std::clamp<std::uint64_t>(wanted, 1, tensor.size()));
    });
    return chosen;
  }

  std::vector<WeightTensor> tensors_;
  std::vector<Chosen> chosen_;
  FloatParameters parameters_;
};

}  // namespace zeroth::ZEROTH_ISA::model
