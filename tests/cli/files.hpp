// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "temporary_directory.hpp"

namespace zeroth_test {

/// Writes a file in a temporary folder, creating the folders above it, and returns its path.
inline std::filesystem::path write_file(TemporaryDirectory const& directory, std::string const& name,
                                        std::string const& text) {
  std::filesystem::path const path = directory.path() / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

/// The bytes of a file.
inline std::string read_file(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace zeroth_test
