// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "../cli/files.hpp"
#include "../cli/run_fixture.hpp"

namespace zeroth_test {

/// The files below a folder: relative path and bytes; a folder's path ends in a slash.
using Tree = std::map<std::string, std::string>;

inline Tree read_tree(std::filesystem::path const& root) {
  namespace fs = std::filesystem;
  Tree tree;
  if (!fs::exists(root)) return tree;
  for (fs::directory_entry const& entry : fs::recursive_directory_iterator(root)) {
    std::string const name = entry.path().lexically_relative(root).string();
    if (entry.is_directory())
      tree[name + "/"];
    else
      tree[name] = read_file(entry.path());
  }
  return tree;
}

/// Makes `root` hold exactly what the tree says.
inline void write_tree(Tree const& tree, std::filesystem::path const& root) {
  namespace fs = std::filesystem;
  fs::remove_all(root);
  fs::create_directories(root);
  for (auto const& [name, bytes] : tree) {
    fs::path const path = root / name;
    if (name.ends_with('/')) {
      fs::create_directories(path);
    } else {
      fs::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary) << bytes;
    }
  }
}

inline bool is_part(std::string const& name) {
  return name.find(".part-") != std::string::npos;
}

/// The parts of their folders in which two runs with the same options must agree: everything except what depends on the
/// clock and the memory of the process.
inline Tree comparable(Tree tree) {
  for (auto& [name, bytes] : tree) {
    if (name.ends_with("metrics.jsonl")) {
      std::string kept;
      for (std::size_t begin = 0, end = 0; (end = bytes.find('\n', begin)) != std::string::npos; begin = end + 1) {
        std::string const text = bytes.substr(begin, end - begin);
        nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
        if (line.is_object()) line.erase("seconds");
        kept += (line.is_discarded() ? text : line.dump()) + "\n";
      }
      bytes = kept;
    } else if (name.ends_with("summary.json")) {
      nlohmann::json summary = nlohmann::json::parse(bytes, nullptr, /*allow_exceptions=*/false);
      if (!summary.is_object()) continue;
      for (char const* key : {"seconds_per_step", "peak_memory_bytes"}) summary.erase(key);
      bytes = summary.dump();
    }
  }
  return tree;
}

}  // namespace zeroth_test
