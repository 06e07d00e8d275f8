// SPDX-License-Identifier: MIT
// All targets in one program, which compiles faster than one program each. The environment variable ZEROTH_FUZZ_TARGET
// selects the one to run.

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_target.hpp"

namespace zeroth_fuzz {

namespace {

struct Target {
  bool (*run)(Input);
  std::vector<std::string> (*seeds)();
};

std::map<std::string_view, Target>& targets() {
  static std::map<std::string_view, Target> all;
  return all;
}

const Target& chosen() {
  static const Target& target = [&]() -> const Target& {
    const char* const name = std::getenv("ZEROTH_FUZZ_TARGET");
    const auto found = targets().find(name ? name : "");
    if (found == targets().end()) {
      throw std::invalid_argument(std::string("ZEROTH_FUZZ_TARGET: expected the name of a target, found \"") +
                                  (name ? name : "") + '"');
    }
    return found->second;
  }();
  return target;
}

}  // namespace

bool add_target(std::string_view name, bool (*run)(Input), std::vector<std::string> (*seeds)()) {
  return targets().emplace(name, Target{run, seeds}).second;
}

bool run(Input input) {
  return chosen().run(input);
}

std::vector<std::string> seeds() {
  return chosen().seeds();
}

}  // namespace zeroth_fuzz
