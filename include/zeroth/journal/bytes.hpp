// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/numeric/float_bits.hpp>

namespace zeroth::ZEROTH_ISA::detail {

[[nodiscard]] constexpr bool is_printable(std::string_view text) noexcept {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return true;
}

/// Writes numbers and text as bytes, little endian on every machine.
class ByteWriter {
 public:
  template <std::unsigned_integral T>
  void number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xffU));
  }
  void number(float value) { number(bits_of(value)); }
  void number(double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    number(bits);
  }

  /// LEB128: seven bits per byte, lowest first; the eighth is set in all bytes but the last.
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) number(static_cast<std::uint8_t>(value | 0x80U));
    number(static_cast<std::uint8_t>(value));
  }

  /// Writes the length as a varint, then the bytes.
  /// @throws InvalidArgument if the text has control characters, including line ends
  void text(std::string_view value) {
    if (!is_printable(value)) throw InvalidArgument("journal: expected text without control characters");
    varint(value.size());
    for (char c : value) bytes_.push_back(static_cast<std::byte>(c));
  }

  /// Appends zeros up to this size.
  void pad_to(std::size_t size) { bytes_.resize(size); }

  /// Overwrites the u32 at `at`.
  void patch(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xffU);
  }

  [[nodiscard]] std::vector<std::byte> const& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::vector<std::byte> take() noexcept { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what ByteWriter has written; never reads past the end, whatever the bytes are.
class ByteReader {
 public:
  /// @param source name of the bytes, for messages: "run.journal: header"
  ByteReader(std::span<std::byte const> bytes, std::string source) : bytes_(bytes), source_(std::move(source)) {}

  template <std::unsigned_integral T>
  [[nodiscard]] T number() {
    std::uint64_t value = 0;
    std::size_t shift = 0;
    for (std::byte byte : take(sizeof(T))) {
      value |= std::to_integer<std::uint64_t>(byte) << shift;
      shift += 8;
    }
    return static_cast<T>(value);
  }
  [[nodiscard]] float single() { return float_of(number<std::uint32_t>()); }
  [[nodiscard]] double real() {
    std::uint64_t const bits = number<std::uint64_t>();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  /// Accepts only the shortest form, so that equal contents are equal bytes.
  [[nodiscard]] std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      auto const byte = number<std::uint8_t>();
      std::uint64_t const bits = byte & 0x7fU;
      if ((shift == 63 && bits > 1) || (byte == 0 && shift > 0)) break;
      value |= bits << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    refuse("expected a whole number of at most 64 bits, found another code");
  }

  [[nodiscard]] std::string text() {
    std::uint64_t const length = varint();
    if (length > left()) refuse_end(length);
    std::string value;
    for (std::byte byte : take(static_cast<std::size_t>(length))) value += static_cast<char>(byte);
    if (!is_printable(value)) refuse("expected text without control characters");
    return value;
  }

  /// Reads a number below `limit` from one byte: an enum value.
  [[nodiscard]] std::uint8_t choice(std::uint8_t limit, std::string_view what) {
    auto const value = number<std::uint8_t>();
    if (value >= limit)
      refuse(std::string(what) + ": expected a number below " + std::to_string(limit) + ", found " +
             std::to_string(value));
    return value;
  }

  void zeros_to(std::size_t end) {
    for (std::byte byte : take(end - at_))
      if (byte != std::byte{0}) refuse("expected zeros at its end, found something else");
  }

  [[nodiscard]] std::size_t position() const noexcept { return at_; }
  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - at_; }

  [[noreturn]] void refuse(std::string const& why) const { throw InvalidFile(source_ + ": " + why); }

 private:
  [[nodiscard]] std::span<std::byte const> take(std::size_t count) {
    if (count > left()) refuse_end(count);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }

  [[noreturn]] void refuse_end(std::uint64_t wanted) const {
    refuse("expected " + std::to_string(wanted) + " bytes at " + std::to_string(at_) + ", found its end");
  }

  std::span<std::byte const> bytes_;
  std::string source_;
  std::size_t at_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::detail
