// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <system_error>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// What is at `path`, following links; type not_found if there is nothing, or if the name is too long to exist.
/// @throws InvalidFile if that cannot be determined: a folder is not searchable, or links form a loop.
[[nodiscard]] inline std::filesystem::file_status status_of(std::filesystem::path const& path) {
  std::error_code error;
  std::filesystem::file_status const status = std::filesystem::status(path, error);
  if (error == std::errc::filename_too_long) return std::filesystem::file_status(std::filesystem::file_type::not_found);
  if (status.type() == std::filesystem::file_type::none)
    throw InvalidFile(path.string() + ": cannot be accessed: " + error.message());
  return status;
}

/// Whether there is something at `path`. Throws as status_of() does.
[[nodiscard]] inline bool path_exists(std::filesystem::path const& path) {
  return std::filesystem::exists(status_of(path));
}

/// Whether there is a folder at `path`. Throws as status_of() does.
[[nodiscard]] inline bool is_folder(std::filesystem::path const& path) {
  return std::filesystem::is_directory(status_of(path));
}

}  // namespace zeroth::ZEROTH_ISA::model
