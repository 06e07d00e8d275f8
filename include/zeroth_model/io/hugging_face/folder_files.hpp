// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <zeroth/config.hpp>
#include <zeroth/error.hpp>
#include <zeroth_model/io/mapped_file.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Files that a Hugging Face folder may hold besides weights and config.json, and that a copy of the model carries
/// over.
inline constexpr std::array<std::string_view, 9> carried_files{
    "tokenizer.json",  "tokenizer_config.json", "special_tokens_map.json",
    "tokenizer.model", "added_tokens.json",     "vocab.json",
    "merges.txt",      "chat_template.jinja",   "generation_config.json",
};

/// The most bytes of each of these files.
inline constexpr std::uint64_t carried_file_limit = std::uint64_t{256} << 20;

/// The texts of the carried_files that a Hugging Face folder has, by name.
///
/// They may end up in a published model. So a link is accepted only if it leads to a regular file in the folder itself,
/// or in the folder of the file to which config.json links: in Hugging Face's cache, all files of a model are links
/// into one folder of blobs.
///
/// @throws InvalidFile naming the file, if it is a link that leads elsewhere, is not a regular file, has more than
///   carried_file_limit bytes, or cannot be read.
[[nodiscard]] inline std::map<std::string, std::string> read_carried_files(std::filesystem::path const& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> homes;
  std::error_code error;
  homes.push_back(fs::canonical(folder, error));
  if (error) throw InvalidFile(folder.string() + ": cannot be read: " + error.message());
  if (fs::path const config = fs::canonical(folder / "config.json", error); !error)
    homes.push_back(config.parent_path());

  std::map<std::string, std::string> files;
  for (std::string_view const name : carried_files) {
    fs::path const path = folder / name;
    fs::file_status const status = fs::symlink_status(path, error);
    if (status.type() == fs::file_type::not_found) continue;
    if (status.type() == fs::file_type::symlink) {
      fs::path const target = fs::canonical(path, error);
      if (error) throw InvalidFile(path.string() + ": cannot follow the link: " + error.message());
      if (std::find(homes.begin(), homes.end(), target.parent_path()) == homes.end())
        throw InvalidFile(path.string() + ": expected a file of the model's folder, as it goes into models that are " +
                          "saved, found a link to " + target.string() + "; put a copy in its place");
    }
    files.emplace(name, read_file(path.string(), carried_file_limit));
  }
  return files;
}

}  // namespace zeroth::ZEROTH_ISA::model
