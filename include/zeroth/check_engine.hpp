// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/error.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/step/mirrors.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/memory_access.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth/storage/widen.hpp>

namespace zeroth::ZEROTH_ISA {

/// How an engine is checked.
struct EngineCheck {
  double epsilon = 1e-2;            ///< scale of the perturbations: large enough for the loss to change
  std::size_t most_tensors = 32;    ///< of so many the loss is checked one by one, spread over all of them
  std::vector<std::string> tied{};  ///< names of embeddings that are also the output head
  std::uint64_t rows_of_tied = 16;  ///< of so many rows of each, spread over all of them
};

/// What is wrong between an engine and the weights that it is said to read.
struct EngineFindings {
  std::vector<std::string> faults{};  ///< one sentence each: what was expected, what was found, what to do
  std::vector<std::string> notes{};   ///< worth knowing, and no fault

  [[nodiscard]] bool ok() const noexcept { return faults.empty(); }
};

namespace detail {

/// The checks of check_engine, one after the other.
template <Backend B, class Loss>
class EngineChecker {
 public:
  EngineChecker(ParameterSet const& parameters, Loss& loss, B const& backend, EngineCheck const& check)
      : parameters_(parameters), loss_(loss), backend_(backend), check_(check) {}

  [[nodiscard]] EngineFindings run() {
    if (!has_default_float_environment())
      note(
          "the calling thread flushes subnormal numbers to zero, rounds otherwise than to nearest, or traps: "
          "perturbations and updates do not depend on it, losses do");
    // A write to such memory would end the program.
    if (!is_writable() || !has_equal_mirrors() || !is_repeatable() || !sees_weights()) return std::move(findings_);
    sees_all_bits();
    sees_each_tensor();
    sees_rows_of_tied();
    return std::move(findings_);
  }

 private:
  struct Seen {
    double loss = 0;      ///< at perturbed weights
    double restored = 0;  ///< at the weights again
  };

  void fault(std::string text) { findings_.faults.push_back(std::move(text)); }
  void note(std::string text) { findings_.notes.push_back(std::move(text)); }

  bool is_writable() {
    if constexpr (BackendWithMemory<B>) return true;  // not the process's own
    for (Parameter const& p : parameters_) {
      MemoryAccess access = memory_access(p.data, p.bytes());
      for (void const* mirror : p.mirrors) access = std::min(access, memory_access(mirror, p.bytes()));
      if (access == MemoryAccess::read_only)
        fault("parameter '" + p.name +
              "': expected memory that can be written, found a read-only mapping: load the model "
              "without mapping its file (llama.cpp: use_mmap = false)");
      if (access == MemoryAccess::none)
        fault("parameter '" + p.name +
              "': expected memory of the process, found none at its address: the engine has freed "
              "or moved the tensor; take its address after all conversions");
    }
    return findings_.ok();
  }

  bool has_equal_mirrors() {
    for (Parameter const& p : parameters_) {
      try {
        check_mirrors(p, backend_);
      } catch (InvalidArgument const& error) {
        fault(error.what());
      }
    }
    return findings_.ok();
  }

  bool is_repeatable() {
    base_ = loss_();
    if (!is_finite(base_)) {
      fault("expected a finite loss, found " + number_text(base_));
      return false;
    }
    double const again = loss_();
    if (is_same(again, base_)) return true;
    fault("expected the same loss from the same weights and batch, found " + number_text(base_) + ", then " +
          number_text(again) +
          ": clear caches (KV) before each evaluation, switch dropout off, keep the batch and its "
          "order, and take a deterministic reduction");
    return false;
  }

  bool sees_weights() {
    Seen const seen = perturb(parameters_, check_.epsilon);
    if (!is_same(seen.restored, base_)) {
      fault("expected the loss " + number_text(base_) + " again once the weights are put back, found " +
            number_text(seen.restored) + ": something of the evaluation at other weights was kept, such as a cache");
      return false;
    }
    if (!is_same(seen.loss, base_)) return true;
    fault("expected another loss once every weight is perturbed, found " + number_text(base_) +
          " again: the engine "
          "reads copies of these weights (repacked, prepacked, cached in another type, or on a device), or others");
    return false;
  }

  /// At perturbed weights, and at these rounded to 16 bits, the loss differs unless the engine rounds them itself.
  void sees_all_bits() {
    if constexpr (BackendWithMemory<B>) return;
    ParameterSet single;
    for (Parameter const& p : parameters_)
      if (p.dtype == DataType::f32) single.add(p);
    if (single.empty()) return;
    for (DataType const dtype : {DataType::f16, DataType::bf16}) {
      auto optimizer = perturbing(single, check_.epsilon);
      auto step = optimizer.begin_step();
      (void)step.next();
      double const loss = loss_();
      std::vector<std::vector<float>> const perturbed = round_to(dtype, single);
      double const rounded_loss = loss_();
      for (std::size_t i = 0; i < single.size(); ++i) {
        std::copy(perturbed[i].begin(), perturbed[i].end(), static_cast<float*>(single[i].data));
        write_mirrors(single[i], backend_);
      }
      if (is_same(rounded_loss, loss))
        note("f32 weights that are rounded to " + std::string(to_string(dtype)) + " give the same loss: the engine " +
             "rounds them so itself, and epsilon has to be larger than that rounding");
    }
  }

  /// Returns what the weights were.
  std::vector<std::vector<float>> round_to(DataType dtype, ParameterSet const& parameters) const {
    std::vector<std::vector<float>> before;
    for (Parameter const& p : parameters) {
      auto* const values = static_cast<float*>(p.data);
      before.emplace_back(values, values + p.size());
      for (std::uint64_t i = 0; i < p.size(); ++i) values[i] = widen(dtype, narrow(dtype, values[i]));
      write_mirrors(p, backend_);
    }
    return before;
  }

  void sees_each_tensor() {
    std::size_t const count = std::min(parameters_.size(), check_.most_tensors);
    for (std::size_t i = 0; i < count; ++i) {
      Parameter const& p = parameters_[i * parameters_.size() / count];
      ParameterSet one;
      one.add(p);
      Seen const seen = perturb(one, check_.epsilon);
      if (is_same(seen.loss, base_))
        fault("parameter '" + p.name +
              "': expected another loss once it is perturbed, found the same: the engine reads a "
              "copy of it, or not at all for this batch");
      if (!is_same(seen.restored, base_))
        fault("parameter '" + p.name + "': expected the loss " + number_text(base_) +
              " again once it is put back, found " + number_text(seen.restored) +
              ": its old values were kept somewhere");
    }
  }

  /// A row whose token is not in the batch changes the loss only by way of the head.
  void sees_rows_of_tied() {
    for (std::string const& name : check_.tied) {
      Parameter const& p = parameters_[parameters_.index_of(name)];
      std::uint64_t const count = std::min(p.shape.rows, check_.rows_of_tied);
      std::uint64_t unseen = 0;
      for (std::uint64_t i = 0; i < count; ++i) {
        Parameter row = p;
        std::uint64_t const first = i * p.shape.rows / count * p.shape.columns;
        row.shape = {1, p.shape.columns};
        row.offset += first;
        row.data = static_cast<std::byte*>(p.data) + first * size_of(p.dtype);
        for (void*& mirror : row.mirrors) mirror = static_cast<std::byte*>(mirror) + first * size_of(p.dtype);
        ParameterSet one;
        one.add(row);
        if (is_same(perturb(one, check_.epsilon).loss, base_)) ++unseen;
      }
      if (unseen != 0)
        fault("parameter '" + name +
              "': expected another loss for each of its rows, as it is also the head, found the "
              "same for " +
              std::to_string(unseen) + " of " + std::to_string(count) +
              ": the head is a copy; tune the "
              "model with the head as the same memory, or add the copy as a mirror of this tensor (add_mirror)");
    }
  }

  /// Destroying the step puts the weights back, to the bit.
  [[nodiscard]] Seen perturb(ParameterSet const& parameters, double epsilon) {
    auto optimizer = perturbing(parameters, epsilon);
    Seen seen;
    {
      auto step = optimizer.begin_step();
      (void)step.next();
      seen.loss = loss_();
    }
    seen.restored = loss_();
    return seen;
  }

  [[nodiscard]] auto perturbing(ParameterSet const& parameters, double epsilon) const {
    return ZerothOrderOptimizer(parameters, Gaussian{}, Dense{}, backend_, Options{.epsilon = epsilon});
  }

  [[nodiscard]] static bool is_same(double a, double b) noexcept { return a == b; }

  ParameterSet const& parameters_;
  Loss& loss_;
  B const& backend_;
  EngineCheck const& check_;
  EngineFindings findings_;
  double base_ = 0;
};

}  // namespace detail

/// Finds out whether an engine reads the weights that it is about to be tuned by, and says what is wrong in sentences.
/// To be called once, before the first step; leaves the weights as they were, to the bit.
///
/// It looks for memory that cannot be written, a loss that differs between two evaluations, weights that the engine
/// copied (repacked) or rounds to 16 bits, evaluations that leave something behind, a tied head that is a copy, and
/// a calling thread that computes otherwise than by default. Takes 2 (4 + tensors + rows of tied ones) evaluations, and
/// the memory of the weights once.
/// @param loss `() -> double`, of one batch that stays the same, at the weights as they stand
template <class Loss, Backend B = CpuBackend>
[[nodiscard]] EngineFindings check_engine(ParameterSet const& parameters, Loss&& loss, EngineCheck const& check = {},
                                          B const& backend = B()) {
  return detail::EngineChecker<B, std::remove_reference_t<Loss>>(parameters, loss, backend, check).run();
}

}  // namespace zeroth::ZEROTH_ISA
