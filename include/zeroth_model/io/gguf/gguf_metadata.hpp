// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/gguf/gguf_value.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// The metadata of one GGUF file: entries looked up by key and read as C++ types. Entries are views of the file's
/// mapping.
class GgufMetadata {
 public:
  /// Messages name the file `path`.
  explicit GgufMetadata(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }

  /// Adds an entry. Throws InvalidFile, without naming file and key, if the key exists already.
  void add(const GgufEntry& entry) {
    if (!index_.emplace(entry.key, entries_.size()).second) throw InvalidFile("expected once, found twice");
    entries_.push_back(entry);
  }

  /// All entries in the order of the file.
  std::span<const GgufEntry> entries() const noexcept { return entries_; }

  /// The entry of `key`, or null.
  const GgufEntry* find_entry(std::string_view key) const noexcept {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &entries_[found->second];
  }

  /// The value of `key`, or nothing if the file has no such key.
  ///
  /// Any integer type is read as any other that can hold the value, and each floating-point type as the other. Throws
  /// InvalidFile if the value's kind differs or it is out of T's range.
  template <GgufValue T>
  std::optional<T> find(std::string_view key) const {
    const GgufEntry* const entry = find_entry(key);
    if (entry == nullptr) return std::nullopt;
    GgufCursor cursor(entry->value);
    std::string found;
    auto value = decode_gguf<T>(entry->type, cursor, found);
    if (!value) throw mismatch(key, expected_gguf<T>(), found);
    return value;
  }

  /// The value of `key`. Throws InvalidFile if the key is missing, and as find() does.
  template <GgufValue T>
  T get(std::string_view key) const {
    if (auto value = find<T>(key)) return *value;
    throw mismatch(key, expected_gguf<T>(), "none");
  }

  /// The elements of the array `key`, or nothing if the file has no such key. Throws as find() does.
  template <GgufValue T>
  std::optional<std::vector<T>> find_array(std::string_view key) const {
    const GgufEntry* const entry = find_entry(key);
    if (entry == nullptr) return std::nullopt;
    const std::string expected = std::string("an array, each element ") + std::string(expected_gguf<T>());
    if (entry->type != GgufType::array) throw mismatch(key, expected, name_of(entry->type));
    GgufCursor cursor(entry->value);
    const GgufType type = cursor.read_type();
    const auto count = cursor.read<std::uint64_t>();
    std::vector<T> elements;
    elements.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::string found;
      const auto element = decode_gguf<T>(type, cursor, found);
      if (!element) throw mismatch(key, expected, found + " as element " + std::to_string(i));
      elements.push_back(*element);
    }
    return elements;
  }

  /// The elements of the array `key`. Throws InvalidFile if the key is missing, and as find() does.
  template <GgufValue T>
  std::vector<T> get_array(std::string_view key) const {
    if (auto elements = find_array<T>(key)) return *std::move(elements);
    throw mismatch(key, std::string("an array, each element ") + std::string(expected_gguf<T>()), "none");
  }

 private:
  InvalidFile mismatch(std::string_view key, std::string_view expected, std::string_view found) const {
    return InvalidFile(path_ + ": metadata key '" + printable(key) + "': expected " + std::string(expected) +
                       ", found " + std::string(found));
  }

  std::string path_;
  std::vector<GgufEntry> entries_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

}  // namespace zeroth::ZEROTH_ISA::model::detail
