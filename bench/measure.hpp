// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace zeroth_bench {

/// Seconds taken by a call.
template <class F>
[[nodiscard]] double seconds(F&& call) {
  auto const start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A figure over several rounds of a run.
struct Spread {
  double median = 0;
  double lowest = 0;
  double highest = 0;
};

/// @param figures one per round, at least one
[[nodiscard]] inline Spread spread(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  std::size_t const middle = figures.size() / 2;
  double const median = figures.size() % 2 != 0 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
  return {median, figures.front(), figures.back()};
}

/// Ratios of figures measured in the same round. Machines drift, so a ratio of two medians means little.
[[nodiscard]] inline Spread ratio(std::span<double const> numerators, std::span<double const> denominators) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < numerators.size(); ++i) ratios.push_back(numerators[i] / denominators[i]);
  return spread(std::move(ratios));
}

/// Writes the median as `name` and [lowest, highest] as `name_spread`.
inline void put(nlohmann::json& object, std::string const& name, Spread const& figure) {
  object[name] = figure.median;
  object[name + "_spread"] = {figure.lowest, figure.highest};
}

/// The peak memory of this process, in bytes (VmHWM); 0 if /proc does not say.
[[nodiscard]] inline std::uint64_t peak_memory_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

}  // namespace zeroth_bench
