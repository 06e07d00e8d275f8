// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <zeroth/executor.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/step_report.hpp>

#include "options/options.hpp"

namespace zeroth::cli {

/// The optimizer of a run, for any choice of policies: the loop over the steps is compiled only once.
class AnyOptimizer {
 public:
  using Objective = std::function<void(AnyProbe const&, std::span<double>)>;

  AnyOptimizer() = default;
  AnyOptimizer(AnyOptimizer const&) = delete;
  AnyOptimizer& operator=(AnyOptimizer const&) = delete;
  virtual ~AnyOptimizer() = default;

  /// See ZerothOrderOptimizer.
  virtual StepReport step(Objective const& objective) = 0;
  [[nodiscard]] virtual std::uint64_t steps() const = 0;
  [[nodiscard]] virtual std::span<Point const> points() const = 0;
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;

  /// See make_journal_header.
  [[nodiscard]] virtual JournalHeader journal_header(std::vector<JournalField> notes) const = 0;

  /// Replays a step.
  virtual void replay(StepRecord const& record) = 0;
};

class Gpu;

/// @param options complete, with all defaults filled in
/// @param executor borrowed
/// @param gpu where the parameters lie; null: in the host's memory
/// @throws InvalidArgument what the optimizer's constructor throws
[[nodiscard]] std::unique_ptr<AnyOptimizer> make_optimizer(FinetuneOptions const& options,
                                                           ParameterSet const& parameters, AnyExecutor executor,
                                                           Gpu const* gpu);

}  // namespace zeroth::cli
