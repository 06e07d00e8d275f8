// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace zeroth::cli {

/// What a run shows on stderr: on a terminal a line that is redrawn, elsewhere a plain line now and then.
class Progress {
 public:
  explicit Progress(std::uint64_t total_steps);
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;
  ~Progress() { clear(); }

  /// Shows that `done` steps are done, and that the last had this loss and took this long. The loss shown is a moving
  /// average of the finite losses. A loss that is not finite is shown itself; later, only how many there were.
  void step(std::uint64_t done, double loss, double seconds);

  /// Shows the progress of an evaluation, on a terminal only.
  void evaluation(std::uint64_t done, std::uint64_t total);

  /// Writes a line that stays visible, above the bar.
  void message(std::string_view line);

 private:
  using Clock = std::chrono::steady_clock;

  /// Whether the last drawing is long enough ago; if so, counts this as one.
  [[nodiscard]] bool is_due();
  [[nodiscard]] std::string loss_text() const;
  void draw(std::string const& line);
  void clear();

  std::uint64_t total_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point next_;
  std::uint64_t timed_steps_ = 0;
  double seconds_ = 0;
  double loss_ = 0;  ///< of the last step
  double smoothed_loss_ = 0;
  std::uint64_t finite_steps_ = 0;
};

/// "41 s", "3:07" or "2:05:59".
[[nodiscard]] std::string human_duration(double seconds);

}  // namespace zeroth::cli
