// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA::model {

static_assert(sizeof(std::size_t) == 8, "zeroth::model maps whole model files and needs a 64-bit system");

/// The type of a metadata value, numbered as in a GGUF file.
enum class GgufType : std::uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

/// One metadata entry as stored in the file.
struct GgufEntry {
  std::string_view key;
  GgufType type;
  std::span<const std::byte> value;  ///< encoded value; an array begins with its element type and its count
};

/// A C++ type as which a metadata value can be read.
template <class T>
concept GgufValue = std::same_as<T, bool> || std::same_as<T, std::string_view> || std::same_as<T, float> ||
    std::same_as<T, double> || std::same_as<T, std::uint32_t> || std::same_as<T, std::int32_t> ||
    std::same_as<T, std::uint64_t> || std::same_as<T, std::int64_t>;

namespace detail {

inline std::string_view name_of(GgufType type) noexcept {
  constexpr std::string_view names[] = {"uint8",   "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                        "boolean", "string", "array",  "uint64", "int64",  "float64"};
  return names[static_cast<std::uint32_t>(type)];
}

/// Bytes of a value of this type, or 0 for strings and arrays, whose size varies.
constexpr std::size_t size_of(GgufType type) noexcept {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[static_cast<std::uint32_t>(type)];
}

/// Reads from a position in the file onwards, and never past its end.
class GgufCursor {
 public:
  explicit GgufCursor(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  std::size_t position() const noexcept { return position_; }
  std::size_t remaining() const noexcept { return bytes_.size() - position_; }

  std::span<const std::byte> take(std::uint64_t size) {
    if (size > remaining()) {
      throw InvalidFile("expected " + std::to_string(size) + " bytes at offset " + std::to_string(position_) +
                        ", found the end of the data after " + std::to_string(remaining()));
    }
    const auto taken = bytes_.subspan(position_, size);
    position_ += taken.size();
    return taken;
  }

  template <class T>
  T read() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view read_string() {
    const auto text = take(read<std::uint64_t>());
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  GgufType read_type() {
    const auto number = read<std::uint32_t>();
    if (number > static_cast<std::uint32_t>(GgufType::float64)) {
      throw InvalidFile("expected a value type from 0 to 12, found " + std::to_string(number));
    }
    return static_cast<GgufType>(number);
  }

  void skip_value(GgufType type, int depth = 0) {
    constexpr int depth_limit = 4;
    if (const std::size_t size = size_of(type); size != 0) {
      take(size);
    } else if (type == GgufType::string) {
      read_string();
    } else {
      if (depth == depth_limit) {
        throw InvalidFile("expected arrays nested at most " + std::to_string(depth_limit) + " deep");
      }
      const GgufType element = read_type();
      const auto count = read<std::uint64_t>();
      const std::size_t element_size = size_of(element);
      const std::size_t least = element_size != 0 ? element_size : element == GgufType::string ? 8 : 12;
      if (count > remaining() / least) {
        throw InvalidFile("an array of " + std::to_string(count) + " elements does not fit the " +
                          std::to_string(remaining()) + " bytes that are left");
      }
      if (element_size != 0) {
        take(count * element_size);
      } else {
        for (std::uint64_t i = 0; i < count; ++i) skip_value(element, depth + 1);
      }
    }
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

template <class T>
std::string_view expected_gguf() noexcept {
  if constexpr (std::same_as<T, bool>) return "a boolean";
  if constexpr (std::same_as<T, std::string_view>) return "a string";
  if constexpr (std::floating_point<T>) return "a floating-point number";
  if constexpr (std::same_as<T, std::uint32_t>) return "an unsigned integer below 2^32";
  if constexpr (std::same_as<T, std::uint64_t>) return "an unsigned integer";
  if constexpr (std::same_as<T, std::int32_t>) return "an integer of 32 bits";
  return "an integer";
}

/// The integer at the cursor as T if it is in T's range; otherwise `found` receives it in decimal.
template <class T, class Stored>
std::optional<T> narrow_gguf(GgufCursor& cursor, std::string& found) {
  const auto value = cursor.read<Stored>();
  if (std::in_range<T>(value)) return static_cast<T>(value);
  found = std::to_string(value);
  return std::nullopt;
}

/// The value at the cursor as T; if that is impossible, nothing, and `found` describes the value.
template <GgufValue T>
std::optional<T> decode_gguf(GgufType type, GgufCursor& cursor, std::string& found) {
  found = name_of(type);
  if constexpr (std::same_as<T, bool>) {
    if (type == GgufType::boolean) return cursor.read<std::uint8_t>() != 0;
  } else if constexpr (std::same_as<T, std::string_view>) {
    if (type == GgufType::string) return cursor.read_string();
  } else if constexpr (std::floating_point<T>) {
    if (type == GgufType::float32) return cursor.read<float>();
    if (type == GgufType::float64) return static_cast<T>(cursor.read<double>());
  } else {
    switch (type) {
      case GgufType::uint8:
        return narrow_gguf<T, std::uint8_t>(cursor, found);
      case GgufType::int8:
        return narrow_gguf<T, std::int8_t>(cursor, found);
      case GgufType::uint16:
        return narrow_gguf<T, std::uint16_t>(cursor, found);
      case GgufType::int16:
        return narrow_gguf<T, std::int16_t>(cursor, found);
      case GgufType::uint32:
        return narrow_gguf<T, std::uint32_t>(cursor, found);
      case GgufType::int32:
        return narrow_gguf<T, std::int32_t>(cursor, found);
      case GgufType::uint64:
        return narrow_gguf<T, std::uint64_t>(cursor, found);
      case GgufType::int64:
        return narrow_gguf<T, std::int64_t>(cursor, found);
      default:
        break;
    }
  }
  return std::nullopt;
}

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA::model
