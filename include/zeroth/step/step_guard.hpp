// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA {

/// Tracks whether a step is in progress and whether the weights are defined, and rejects calls that need otherwise.
class StepGuard {
 public:
  /// While it lives, a step is in progress and no other can start.
  class Entry {
   public:
    explicit Entry(bool& in_progress) : in_progress_(in_progress) { in_progress_ = true; }
    ~Entry() { in_progress_ = false; }
    Entry(Entry const&) = delete;
    Entry& operator=(Entry const&) = delete;

   private:
    bool& in_progress_;
  };

  /// @param what name of the called function, for messages
  /// @throws Error if a step is in progress, or the weights are undefined
  [[nodiscard]] Entry enter(char const* what, std::uint64_t step) {
    if (in_progress_)
      throw Error(std::string(what) + ": expected a call between two steps, found one from within step " +
                  std::to_string(step) + ": an objective or mask must not call its own optimizer");
    if (weights_are_undefined_)
      throw Error(std::string(what) + ": the weights are undefined since step " + std::to_string(step) +
                  " failed while they were written: make a new optimizer over the base weights and replay the journal "
                  "of the run");
    return Entry(in_progress_);
  }

  /// Runs code that writes weights. If it fails, they are undefined until something else restores them.
  template <class Body>
  void write(Body const& body) {
    weights_are_undefined_ = true;
    body();
    weights_are_undefined_ = false;
  }

  void leave_weights_undefined() noexcept { weights_are_undefined_ = true; }
  [[nodiscard]] bool weights_are_undefined() const noexcept { return weights_are_undefined_; }

 private:
  bool in_progress_ = false;
  bool weights_are_undefined_ = false;
};

}  // namespace zeroth::ZEROTH_ISA
