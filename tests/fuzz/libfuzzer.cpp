// SPDX-License-Identifier: MIT
// Connects a target to libFuzzer, whose main() is linked. The option --seeds=FOLDER, which libFuzzer leaves to us,
// first writes the target's seeds there.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view option = "--seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(option)) continue;
    const std::filesystem::path folder = argument.substr(option.size());
    std::filesystem::create_directories(folder);
    std::size_t number = 0;
    for (const std::string& seed : zeroth_fuzz::seeds()) {
      std::ofstream(folder / ("seed-" + std::to_string(number++)), std::ios::binary) << seed;
    }
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  zeroth_fuzz::run(std::as_bytes(std::span(data, size)));
  return 0;
}
