// SPDX-License-Identifier: MIT
#include <string>
#include <string_view>

#include <zeroth/zeroth.hpp>

struct EveryNth {
  std::uint64_t every = 2;
  bool operator()(float /*theta*/, std::uint64_t element) const { return element % every == 0; }
  static constexpr std::string_view name() { return "every-nth"; }
  bool operator==(EveryNth const&) const = default;
  // @block
};

static_assert(zeroth::MaskPolicy<EveryNth>);

int main() {
  return zeroth::describe(EveryNth{3}) == "every-nth(every=3)" ? 0 : 1;
}
