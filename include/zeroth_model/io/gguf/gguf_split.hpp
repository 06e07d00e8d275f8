// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/gguf/gguf_metadata.hpp>
#include <zeroth_model/io/gguf/gguf_part.hpp>
#include <zeroth_model/io/mapped_file.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// Keys of a file that is one part of a model: its number from 0, the number of parts, the number of tensors in all
/// parts.
inline constexpr std::string_view split_number_key = "split.no";
inline constexpr std::string_view split_count_key = "split.count";
inline constexpr std::string_view split_tensors_key = "split.tensors.count";

/// The end of the name of part `number` (from 0) of `count`: "-00001-of-00003.gguf".
inline std::string split_suffix(std::uint32_t number, std::uint32_t count) {
  const auto five_digits = [](std::uint32_t value) {
    const std::string digits = std::to_string(value);
    return std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits;
  };
  return "-" + five_digits(number + 1) + "-of-" + five_digits(count) + ".gguf";
}

/// Throws InvalidFile unless `key` has the value `expected`.
inline void check_split_key(const GgufMetadata& metadata, std::string_view key, std::uint32_t expected) {
  if (const auto found = metadata.get<std::uint32_t>(key); found != expected) {
    throw InvalidFile(metadata.path() + ": metadata key '" + std::string(key) + "': expected " +
                      std::to_string(expected) + ", found " + std::to_string(found));
  }
}

/// Rejects a part that is not the first, and names the first.
inline void require_first_part(const GgufMetadata& metadata, std::uint32_t count) {
  const auto number = metadata.get<std::uint32_t>(split_number_key);
  if (number == 0) return;
  const std::string& path = metadata.path();
  std::string first = "the first part";
  if (const std::string suffix = split_suffix(number, count); path.ends_with(suffix)) {
    first += ", " + path.substr(0, path.size() - suffix.size()) + split_suffix(0, count);
  }
  throw InvalidFile(path + ": metadata key '" + std::string(split_number_key) + "': expected " + first +
                    ", found part " + std::to_string(std::uint64_t{number} + 1) + " of " + std::to_string(count));
}

/// Reads a GGUF file and, if it is the first part of a split model, the other parts.
///
/// Like llama.cpp, it takes the metadata from the first part and finds the others by their names. Throws InvalidFile as
/// GgufFile's constructor does.
inline std::vector<GgufPart> open_gguf_parts(MappedFile file) {
  std::vector<GgufPart> parts;
  parts.emplace_back(std::move(file));
  const auto count = parts[0].metadata().find<std::uint32_t>(split_count_key).value_or(1);
  if (count <= 1) return parts;
  constexpr std::uint32_t limit = 65535;  // the keys are uint16
  if (count > limit) {
    throw InvalidFile(parts[0].path() + ": metadata key '" + std::string(split_count_key) + "': expected at most " +
                      std::to_string(limit) + ", found " + std::to_string(count));
  }

  // Copies, because the vector moves its parts when it grows.
  const std::string first = parts[0].path();
  require_first_part(parts[0].metadata(), count);
  const auto tensors = parts[0].metadata().get<std::uint32_t>(split_tensors_key);
  const std::string suffix = split_suffix(0, count);
  if (!first.ends_with(suffix)) {
    throw InvalidFile(first + ": expected the name of part 1 of " + std::to_string(count) + " to end with '" + suffix +
                      "', by which the other parts are found");
  }
  const std::string prefix = first.substr(0, first.size() - suffix.size());
  std::size_t found = parts[0].tensors().size();
  for (std::uint32_t number = 1; number < count; ++number) {
    const GgufPart& part = parts.emplace_back(MappedFile(prefix + split_suffix(number, count)), number);
    check_split_key(part.metadata(), split_number_key, number);
    check_split_key(part.metadata(), split_count_key, count);
    check_split_key(part.metadata(), split_tensors_key, tensors);
    found += part.tensors().size();
  }
  if (found != tensors) {
    throw InvalidFile(first + ": metadata key '" + std::string(split_tensors_key) + "': expected the tensors of all " +
                      std::to_string(count) + " parts, " + std::to_string(found) + ", found " +
                      std::to_string(tensors));
  }
  return parts;
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
