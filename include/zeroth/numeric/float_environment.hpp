// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include <zeroth/config.hpp>

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#include <cfenv>
#endif

namespace zeroth::ZEROTH_ISA {

namespace detail {

// How a thread treats results that do not fit: the rounding mode, whether subnormal numbers count as 0, and which
// exceptions trap. `changed` returns a state with all of these as at program start, and everything else unchanged.
#if defined(__SSE__) || defined(_M_X64)
struct FloatControl {
  using State = std::uint32_t;
  static constexpr State settings = 0xffc0;  // flush to zero, rounding mode, masked exceptions, subnormals are zeros
  static constexpr State standard = 0x1f80;  // of these settings only: all exceptions masked

  [[nodiscard]] static State get() noexcept { return _mm_getcsr(); }
  static void set(State state) noexcept { _mm_setcsr(state); }
  [[nodiscard]] static State changed(State state) noexcept { return (state & ~settings) | standard; }
};
#elif defined(__aarch64__)
struct FloatControl {
  using State = std::uint64_t;

  [[nodiscard]] static State get() noexcept {
    State state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
  }
  static void set(State state) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(state) : "memory"); }
  [[nodiscard]] static State changed(State /*state*/) noexcept { return 0; }
};
#else
struct FloatControl {
  using State = int;  // only the rounding mode

  [[nodiscard]] static State get() noexcept { return std::fegetround(); }
  static void set(State state) noexcept { std::fesetround(state); }
  [[nodiscard]] static State changed(State /*state*/) noexcept { return FE_TONEAREST; }
};
#endif

}  // namespace detail

/// While it lives, the calling thread rounds to nearest, keeps subnormal numbers and traps no exception, as at program
/// start. Its destructor restores the thread's own settings and, if they differ, drops the exception flags raised
/// meanwhile.
///
/// An engine may flush subnormals to zero on its threads, a library linked with -ffast-math does so at program start,
/// and one call of fesetround changes the rounding mode. Each pass over weights and each decision about a step holds
/// one of these; objectives run under the caller's own settings. Reads one register, and writes it only if the settings
/// differ. On processors other than x86-64 and arm64 it sets only the rounding mode.
class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment() noexcept
      : saved_(detail::FloatControl::get()), differs_(detail::FloatControl::changed(saved_) != saved_) {
    if (differs_) detail::FloatControl::set(detail::FloatControl::changed(saved_));
    keep_order();
  }
  ~DefaultFloatEnvironment() {
    keep_order();
    if (differs_) detail::FloatControl::set(saved_);
  }
  DefaultFloatEnvironment(DefaultFloatEnvironment const&) = delete;
  DefaultFloatEnvironment& operator=(DefaultFloatEnvironment const&) = delete;

 private:
  /// Keeps what is read from and written to memory between two calls computed between them.
  static void keep_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

  detail::FloatControl::State saved_;
  bool differs_;
};

/// Whether the calling thread computes as in a DefaultFloatEnvironment already.
[[nodiscard]] inline bool has_default_float_environment() noexcept {
  detail::FloatControl::State const state = detail::FloatControl::get();
  return detail::FloatControl::changed(state) == state;
}

/// Runs body() in a DefaultFloatEnvironment.
template <class Body>
decltype(auto) in_default_float_environment(Body&& body) {
  DefaultFloatEnvironment const environment;
  return std::forward<Body>(body)();
}

}  // namespace zeroth::ZEROTH_ISA
