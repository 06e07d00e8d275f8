// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <sys/ioctl.h>
#include <unistd.h>

#include "io/format.hpp"
#include "io/standard_streams.hpp"

namespace zeroth::cli {
namespace {

// The loss of a single batch is noisy: it is shown as a moving average over about this many steps.
constexpr double smoothing_steps = 20;

// Columns left free at the right: a terminal echoes Ctrl-C as ^C after the line.
constexpr std::size_t margin = 3;

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool is_terminal() {
  char const* const kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && !(kind != nullptr && std::string_view(kind) == "dumb");
}

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  auto const filled = static_cast<std::size_t>(static_cast<double>(width) * static_cast<double>(done) /
                                               static_cast<double>(std::max<std::uint64_t>(total, 1)));
  std::string cells(std::min(filled, width), '=');
  if (cells.size() < width) cells += '>';
  cells.resize(width, ' ');
  return "[" + cells + "] ";
}

std::string with_bar(std::string const& before, std::string const& after, std::uint64_t done, std::uint64_t total) {
  constexpr std::size_t longest = 40;
  constexpr std::size_t brackets = 3;
  std::size_t const text = before.size() + after.size() + brackets + margin;
  std::size_t const room = terminal_width() - std::min(terminal_width(), text);
  return room < 5 ? before + after : before + bar(done, total, std::min(room, longest)) + after;
}

}  // namespace

std::string human_duration(double seconds) {
  if (!(seconds < 1e9)) return "?";
  long const whole = std::lround(std::max(seconds, 0.0));
  if (whole < 60) return format("%ld s", whole);
  if (whole < 3600) return format("%ld:%02ld", whole / 60, whole % 60);
  return format("%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

Progress::Progress(std::uint64_t total_steps) : total_(total_steps), terminal_(is_terminal()) {}

void Progress::step(std::uint64_t done, double loss, double seconds) {
  loss_ = loss;
  if (std::isfinite(loss)) {
    ++finite_steps_;
    smoothed_loss_ += (loss - smoothed_loss_) / std::min(smoothing_steps, static_cast<double>(finite_steps_));
  }
  seconds_ += seconds;
  ++timed_steps_;
  if (!is_due() && done != total_) return;

  double const mean = seconds_ / static_cast<double>(timed_steps_);
  std::string const count =
      format("step %llu/%llu ", static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_));
  std::string const rate = mean >= 1 ? format("%.2f s/step", mean) : format("%.2f steps/s", 1 / mean);
  std::string const rest =
      loss_text() + "  " + rate + "  " + human_duration(mean * static_cast<double>(total_ - done)) + " left";
  draw(terminal_ ? with_bar(count, rest, done, total_) : count + " " + rest);
}

void Progress::evaluation(std::uint64_t done, std::uint64_t total) {
  if (!terminal_ || (!is_due() && done != total)) return;
  std::string const count =
      format(" %llu/%llu", static_cast<unsigned long long>(done), static_cast<unsigned long long>(total));
  draw(with_bar("evaluating ", count, done, total));
}

void Progress::message(std::string_view line) {
  clear();
  tell(line);
}

std::string Progress::loss_text() const {
  if (!std::isfinite(loss_)) return format("loss %.4f", unsigned_nan(loss_));
  std::uint64_t const others = timed_steps_ - finite_steps_;
  return format("loss %.4f", smoothed_loss_) +
         (others == 0 ? "" : format(" (nan or inf: %llu)", static_cast<unsigned long long>(others)));
}

bool Progress::is_due() {
  using namespace std::chrono_literals;
  Clock::time_point const now = Clock::now();
  if (now < next_) return false;
  next_ = now + (terminal_ ? Clock::duration(100ms) : Clock::duration(10s));
  return true;
}

void Progress::draw(std::string const& line) {
  if (!terminal_) return message(line);
  // If the line wrapped, "\r" would no longer reach its start.
  std::string const cut = line.substr(0, terminal_width() - std::min(terminal_width(), margin));
  std::fprintf(stderr, "\r\033[K%s", cut.c_str());
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace zeroth::cli
