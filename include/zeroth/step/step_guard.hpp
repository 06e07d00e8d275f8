// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA {

/// The call that opened a step whose losses are still missing.
enum class Opener : std::uint8_t { none, ask, begin_step };

[[nodiscard]] constexpr char const* to_string(Opener opener) noexcept {
  return opener == Opener::ask ? "ask()" : opener == Opener::begin_step ? "begin_step()" : "nothing";
}

/// Tracks whether a step is in progress and whether the weights are defined, and rejects calls that need otherwise.
class StepGuard {
 public:
  /// While it lives, a call is in progress and no other can start.
  class Entry {
   public:
    explicit Entry(bool& in_progress) : in_progress_(in_progress) { in_progress_ = true; }
    ~Entry() { in_progress_ = false; }
    Entry(Entry const&) = delete;
    Entry& operator=(Entry const&) = delete;

   private:
    bool& in_progress_;
  };

  /// For a call that must come between two steps.
  /// @param what name of the called function, for messages
  /// @throws Error if a step is open or in progress, or the weights are undefined
  [[nodiscard]] Entry enter(char const* what, std::uint64_t step) {
    require_no_call(what, step);
    if (opener_ != Opener::none)
      throw Error(std::string(what) + ": expected a call between two steps, found step " + std::to_string(step) +
                  " open since " + to_string(opener_) + ": give it its losses, or abandon it, first");
    if (weights_are_undefined_)
      throw Error(std::string(what) + ": the weights are undefined since step " + std::to_string(step) +
                  " failed while they were written: make a new optimizer over the base weights and replay the journal "
                  "of the run");
    return Entry(in_progress_);
  }

  /// For a call about an open step.
  /// @throws Error if `opener` did not open one, or a call is in progress
  [[nodiscard]] Entry enter_open(char const* what, Opener opener, std::uint64_t step) {
    require_no_call(what, step);
    if (opener_ != opener)
      throw Error(std::string(what) + ": expected step " + std::to_string(step) + " to be open since " +
                  to_string(opener) + ", found it " +
                  (opener_ == Opener::none ? "not begun" : std::string("open since ") + to_string(opener_)));
    return Entry(in_progress_);
  }

  void set_open(Opener opener) noexcept { opener_ = opener; }
  [[nodiscard]] bool is_open(Opener opener) const noexcept { return opener_ == opener; }

  /// Runs code that writes weights. If it fails, they are undefined until something else restores them.
  template <class Body>
  void write(Body const& body) {
    weights_are_undefined_ = true;
    body();
    weights_are_undefined_ = false;
  }

  [[nodiscard]] bool weights_are_undefined() const noexcept { return weights_are_undefined_; }

 private:
  void require_no_call(char const* what, std::uint64_t step) const {
    if (in_progress_)
      throw Error(std::string(what) + ": expected a call between two steps, found one from within step " +
                  std::to_string(step) + ": an objective or mask must not call its own optimizer");
  }

  bool in_progress_ = false;
  bool weights_are_undefined_ = false;
  Opener opener_ = Opener::none;
};

}  // namespace zeroth::ZEROTH_ISA
