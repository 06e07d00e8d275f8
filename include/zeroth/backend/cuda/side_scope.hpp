// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// While it lives, a stream's work goes to its side queue: returned by `side()` of a StreamWithSide.
class SideScope {
 public:
  /// @param on_side the stream's note of which queue it uses; must outlive the scope
  explicit SideScope(bool& on_side) : on_side_(on_side), before_(std::exchange(on_side, true)) {}
  ~SideScope() { on_side_ = before_; }
  SideScope(SideScope const&) = delete;
  SideScope& operator=(SideScope const&) = delete;

 private:
  bool& on_side_;
  bool before_;
};

}  // namespace zeroth::ZEROTH_ISA::cuda
