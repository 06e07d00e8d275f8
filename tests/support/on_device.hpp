// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth_test {

/// A backend with its own memory, for tests whose tensors and panels are on the host: copies what a pass reads there
/// before the pass, and what it writes back after it.
template <class B>
class OnDevice {
 public:
  explicit OnDevice(B backend) : backend_(std::move(backend)) {}

  template <zeroth::Sampler S, zeroth::MaskRule Rule>
  void expand(zeroth::Parameter const& tensor, zeroth::TensorMask<Rule> const& mask, zeroth::NoiseField<S> const& noise,
              std::span<zeroth::Point const> lanes, float epsilon, std::uint64_t first, std::uint64_t count,
              std::span<float* const> panels) const {
    Copy const weights(backend_, tensor.data, tensor.bytes());
    std::vector<std::unique_ptr<Copy>> copies;
    std::vector<float*> pointers;
    for (float* panel : panels) {
      copies.push_back(std::make_unique<Copy>(backend_, panel, count * sizeof(float)));
      pointers.push_back(copies.back()->template as<float>());
    }
    auto const there_mask = there(tensor, mask);
    backend_.expand(there(tensor, weights), there_mask.mask, noise, lanes, epsilon, first, count, pointers);
    for (auto const& copy : copies) copy->back();
  }

  template <zeroth::Sampler S, zeroth::MaskRule Rule>
  std::uint64_t apply(zeroth::Parameter const& tensor, void const* source, zeroth::TensorMask<Rule> const& mask,
                      zeroth::NoiseField<S> const& noise, zeroth::ElementwisePass const& pass) const {
    return run(tensor, source, mask, pass, [&](auto const& p, void const* from, auto const& m, auto const& of_copy) {
      return backend_.apply(p, from, m, noise, of_copy);
    });
  }

  template <zeroth::Sampler S, zeroth::MaskRule Rule, class R>
  std::uint64_t apply_rule(zeroth::Parameter const& tensor, void const* source, zeroth::TensorMask<Rule> const& mask,
                           zeroth::NoiseField<S> const& noise, zeroth::ElementwisePass const& pass, R const& rule,
                           float* state) const {
    Copy const planes(backend_, state, tensor.size() * zeroth::state_floats<R> * sizeof(float));
    auto const active =
        run(tensor, source, mask, pass, [&](auto const& p, void const* from, auto const& m, auto const& of_copy) {
          return backend_.apply_rule(p, from, m, noise, of_copy, rule, planes.template as<float>());
        });
    planes.back();
    return active;
  }

  template <zeroth::Sampler S, zeroth::MaskRule Rule>
  void preview(zeroth::Parameter const& tensor, zeroth::TensorMask<Rule> const& mask,
               zeroth::NoiseField<S> const& noise, zeroth::ElementwisePass const& pass, std::uint64_t first,
               std::uint64_t count, float* panel) const {
    Copy const to(backend_, panel, count * sizeof(float));
    run(tensor, nullptr, mask, pass, [&](auto const& p, void const*, auto const& m, auto const& of_copy) {
      backend_.preview(p, m, noise, of_copy, first, count, to.template as<float>());
      return std::uint64_t{0};
    });
    to.back();
  }

  template <zeroth::MaskRule Rule>
  void mask_bits(zeroth::Parameter const& tensor, zeroth::TensorMask<Rule> const& mask,
                 std::span<std::uint64_t> words) const {
    Copy const weights(backend_, tensor.data, tensor.bytes());
    auto const there_mask = there(tensor, mask);
    backend_.mask_bits(there(tensor, weights), there_mask.mask, words);
  }

  [[nodiscard]] float kth_magnitude(std::span<zeroth::Parameter const* const> tensors, std::uint64_t k) const {
    std::vector<std::unique_ptr<Copy>> copies;
    std::vector<zeroth::Parameter> parameters;
    for (zeroth::Parameter const* tensor : tensors) {
      copies.push_back(std::make_unique<Copy>(backend_, tensor->data, tensor->bytes()));
      parameters.push_back(there(*tensor, *copies.back()));
    }
    std::vector<zeroth::Parameter const*> pointers;
    for (zeroth::Parameter const& p : parameters) pointers.push_back(&p);
    return backend_.kth_magnitude(pointers, k);
  }

  void read(zeroth::Parameter const& tensor, std::uint64_t first, std::span<float> out) const {
    Copy const weights(backend_, tensor.data, tensor.bytes());
    backend_.read(there(tensor, weights), first, out);
  }
  void copy(zeroth::Parameter const& tensor, std::span<std::byte> out) const {
    Copy const weights(backend_, tensor.data, tensor.bytes());
    backend_.copy(there(tensor, weights), out);
  }

  [[nodiscard]] bool supports(zeroth::DataType dtype) const { return backend_.supports(dtype); }
  [[nodiscard]] std::string_view name() const { return backend_.name(); }

 private:
  /// The host's bytes in the backend's memory.
  class Copy {
   public:
    Copy(B const& backend, void const* host, std::uint64_t bytes)
        : backend_(backend), host_(host), bytes_(static_cast<std::size_t>(bytes)) {
      if (host == nullptr) return;
      memory_ = backend.allocate(bytes_);
      backend.transfer(memory_.get(), host, bytes_);
    }
    template <class T>
    [[nodiscard]] T* as() const {
      return reinterpret_cast<T*>(memory_.get());
    }
    /// Copies back; only for what the test may change.
    void back() const {
      if (host_ != nullptr) backend_.transfer(const_cast<void*>(host_), memory_.get(), bytes_);
    }

   private:
    B const& backend_;
    void const* host_;
    std::size_t bytes_;
    std::shared_ptr<std::byte> memory_;
  };

  template <class Rule>
  struct Mask {
    zeroth::TensorMask<Rule> mask;
    std::vector<std::shared_ptr<Copy>> owners;
  };

  [[nodiscard]] static zeroth::Parameter there(zeroth::Parameter tensor, Copy const& weights) {
    tensor.data = weights.template as<void>();
    return tensor;
  }

  template <class Rule>
  [[nodiscard]] Mask<Rule> there(zeroth::Parameter const& tensor, zeroth::TensorMask<Rule> const& mask) const {
    Mask<Rule> result{mask, {}};
    move(tensor, result.mask.rule, result.owners);
    return result;
  }
  template <class Rule>
  void move(zeroth::Parameter const& /*tensor*/, Rule& /*rule*/, std::vector<std::shared_ptr<Copy>>& /*owners*/) const {
  }
  void move(zeroth::Parameter const& tensor, zeroth::BitmapRule& rule,
            std::vector<std::shared_ptr<Copy>>& owners) const {
    owners.push_back(
        std::make_shared<Copy>(backend_, rule.words, zeroth::Bitmap::words_of(tensor) * sizeof(std::uint64_t)));
    rule.words = owners.back()->template as<std::uint64_t>();
  }
  template <zeroth::Combination how, class First, class Second>
  void move(zeroth::Parameter const& tensor, zeroth::CombinedRule<how, First, Second>& rule,
            std::vector<std::shared_ptr<Copy>>& owners) const {
    move(tensor, rule.first.rule, owners);
    move(tensor, rule.second.rule, owners);
  }

  template <class Rule, class Body>
  std::uint64_t run(zeroth::Parameter const& tensor, void const* source, zeroth::TensorMask<Rule> const& mask,
                    zeroth::ElementwisePass pass, Body const& body) const {
    Copy const weights(backend_, tensor.data, tensor.bytes());
    Copy const from(backend_, source, tensor.bytes());
    std::size_t const words = zeroth::Bitmap::words_of(tensor);
    Copy const places(backend_, pass.remainders.places, words * sizeof(std::uint64_t));
    std::size_t const tiles = pass.remainders.places == nullptr ? 0 : words / 2;
    std::uint64_t const group = zeroth::Remainders::tiles_per_group;
    Copy const group_place(backend_, pass.remainders.group_place, (tiles + group - 1) / group * sizeof(std::uint64_t));
    Copy const first_place(backend_, pass.remainders.first_place, tiles * sizeof(std::uint16_t));
    std::uint64_t count = pass.remainders.places == nullptr ? tensor.size() : 0;
    for (std::size_t w = 0; pass.remainders.places != nullptr && w < words; ++w)
      count += static_cast<std::uint64_t>(std::popcount(pass.remainders.places[w]));
    Copy const beside(backend_, pass.remainders.data, count * zeroth::remainder_bytes(pass.rounding));
    pass.remainders = {beside.template as<void>(), places.template as<std::uint64_t>(),
                       group_place.template as<std::uint64_t>(), first_place.template as<std::uint16_t>()};
    auto const there_mask = there(tensor, mask);
    std::uint64_t const active =
        body(there(tensor, weights), from.template as<void>(), there_mask.mask, std::as_const(pass));
    weights.back();
    beside.back();
    return active;
  }

  B backend_;
};

}  // namespace zeroth_test
