// SPDX-License-Identifier: MIT
// Feeds a target its seeds and the files in the given folders, with any compiler and without libFuzzer:
//   replay_NAME [FILE or FOLDER]...

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "fuzz_target.hpp"

namespace {

enum class Outcome { taken, refused, failed };

Outcome outcome_of(const std::string& name, const std::string& input) {
  try {
    return zeroth_fuzz::run(std::as_bytes(std::span(input))) ? Outcome::taken : Outcome::refused;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return Outcome::failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  std::size_t failed = 0;
  std::size_t taken = 0;
  const std::vector<std::string> seeds = zeroth_fuzz::seeds();
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    const Outcome outcome = outcome_of("seed " + std::to_string(i), seeds[i]);
    failed += outcome == Outcome::failed;
    taken += outcome == Outcome::taken;
    if (i == 0 && outcome == Outcome::refused) {
      std::cerr << "seed 0: expected to be taken, it was refused\n";
      ++failed;
    }
  }

  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (fs::is_regular_file(argv[i])) files.emplace_back(argv[i]);
    if (!fs::is_directory(argv[i])) continue;
    for (const auto& entry : fs::directory_iterator(argv[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::cerr << file.string() << ": cannot open\n";
      ++failed;
      continue;
    }
    const std::string input{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    failed += outcome_of(file.string(), input) == Outcome::failed;
  }
  std::cout << seeds.size() << " seeds, of which " << taken << " are taken, and " << files.size()
            << " files: " << failed << " failed\n";
  return failed == 0 && !seeds.empty() ? 0 : 1;
}
