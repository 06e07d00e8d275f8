// SPDX-License-Identifier: MIT
#include "fault_text.hpp"

#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>

#include <zeroth/error.hpp>

namespace zeroth::cli {
namespace {

std::string filesystem_text(std::filesystem::filesystem_error const& error) {
  std::string text = error.path1().string();
  if (!error.path2().empty()) text += (text.empty() ? "" : ", ") + error.path2().string();
  return (text.empty() ? "the file system" : text) + ": " + error.code().message();
}

}  // namespace

std::string fault_text(std::exception const& error) {
  if (dynamic_cast<Error const*>(&error) != nullptr) return error.what();
  // A length_error reports a size that no memory could hold.
  if (dynamic_cast<std::bad_alloc const*>(&error) != nullptr ||
      dynamic_cast<std::length_error const*>(&error) != nullptr)
    return "not enough memory; zeroth inspect shows what a model needs, and --dtype bf16 or f16 halves its weights";
  if (auto const* const file = dynamic_cast<std::filesystem::filesystem_error const*>(&error))
    return filesystem_text(*file);
  if (auto const* const system = dynamic_cast<std::system_error const*>(&error))
    return "a system call failed: " + system->code().message();
  return std::string("a bug in zeroth, not in its input; please report it: ") + error.what();
}

}  // namespace zeroth::cli
