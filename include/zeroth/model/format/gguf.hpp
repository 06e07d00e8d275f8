// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/format/dequantize.hpp>
#include <zeroth/model/format/gguf_value.hpp>
#include <zeroth/model/format/mapped_file.hpp>
#include <zeroth/model/format/printable.hpp>
#include <zeroth/model/format/tensor_type.hpp>

namespace zeroth::model {

/// Where a tensor lies in a GGUF file and how it is encoded.
struct GgufTensor {
  std::string_view name;
  std::vector<std::uint64_t> dims;  ///< 1 to 4 sizes, the fastest first: a matrix is {columns, rows}
  TensorType type;
  std::size_t values;  ///< product of `dims`
  std::size_t offset;  ///< of the first byte, from the start of the file
  std::size_t bytes;
};

/// A GGUF file, versions 2 and 3, little-endian, memory-mapped.
///
/// The constructor checks the whole header: afterwards every string lies inside the file and every tensor has all its
/// bytes. Strings and tensors are views of the mapping and live as long as this object, or the one it was moved to.
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFile {
 public:
  /// Opens and checks `path`. Throws InvalidFile naming the file, the key or tensor, and what is wrong with it.
  explicit GgufFile(std::string path) : GgufFile(MappedFile(std::move(path))) {}

  /// Checks a file that is open already. Throws as the other constructor does.
  explicit GgufFile(MappedFile file) : file_(std::move(file)) {
    detail::GgufCursor cursor(file_.bytes());
    std::string place = "header";
    try {
      const auto [tensor_count, entry_count] = read_header(cursor);
      read_metadata(cursor, entry_count, place);
      read_tensors(cursor, tensor_count, place);
    } catch (const InvalidFile& error) {
      throw InvalidFile(file_.path() + ": " + place + ": " + error.what());
    }
  }

  const std::string& path() const noexcept { return file_.path(); }
  std::uint32_t version() const noexcept { return version_; }

  /// All metadata in the order of the file.
  std::span<const GgufEntry> metadata() const noexcept { return entries_; }

  /// All tensors in the order of the file.
  std::span<const GgufTensor> tensors() const noexcept { return tensors_; }

  /// The value of `key`, or nothing if the file has no such key.
  ///
  /// Any integer type is read as any other that can hold the value, and either floating-point type as the other.
  /// Throws InvalidFile if the value is of another kind or out of T's range.
  template <GgufValue T>
  std::optional<T> find(std::string_view key) const {
    const GgufEntry* const entry = find_entry(key);
    if (entry == nullptr) return std::nullopt;
    detail::GgufCursor cursor(entry->value);
    std::string found;
    auto value = detail::decode_gguf<T>(entry->type, cursor, found);
    if (!value) throw mismatch(key, detail::expected_gguf<T>(), found);
    return value;
  }

  /// The value of `key`. Throws InvalidFile if the key is missing, and as find() does.
  template <GgufValue T>
  T get(std::string_view key) const {
    if (auto value = find<T>(key)) return *value;
    throw mismatch(key, detail::expected_gguf<T>(), "none");
  }

  /// The elements of the array `key`, or nothing if the file has no such key. Throws as find() does.
  template <GgufValue T>
  std::optional<std::vector<T>> find_array(std::string_view key) const {
    const GgufEntry* const entry = find_entry(key);
    if (entry == nullptr) return std::nullopt;
    const std::string expected = std::string("an array, each element ") + std::string(detail::expected_gguf<T>());
    if (entry->type != GgufType::array) throw mismatch(key, expected, detail::name_of(entry->type));
    detail::GgufCursor cursor(entry->value);
    const GgufType type = cursor.read_type();
    const auto count = cursor.read<std::uint64_t>();
    std::vector<T> elements;
    elements.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::string found;
      const auto element = detail::decode_gguf<T>(type, cursor, found);
      if (!element) throw mismatch(key, expected, found + " as element " + std::to_string(i));
      elements.push_back(*element);
    }
    return elements;
  }

  /// The elements of the array `key`. Throws InvalidFile if the key is missing, and as find() does.
  template <GgufValue T>
  std::vector<T> get_array(std::string_view key) const {
    if (auto elements = find_array<T>(key)) return *std::move(elements);
    throw mismatch(key, std::string("an array, each element ") + std::string(detail::expected_gguf<T>()), "none");
  }

  /// The tensor called `name`, or null.
  const GgufTensor* find_tensor(std::string_view name) const noexcept {
    const auto found = tensor_index_.find(name);
    return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
  }

  /// The tensor called `name`. Throws InvalidFile if there is none.
  const GgufTensor& tensor(std::string_view name) const {
    if (const GgufTensor* const found = find_tensor(name)) return *found;
    throw InvalidFile(path() + ": tensor '" + detail::printable(name) + "' is missing");
  }

  /// The encoded values of a tensor of this file.
  std::span<const std::byte> bytes(const GgufTensor& tensor) const noexcept {
    return file_.bytes().subspan(tensor.offset, tensor.bytes);
  }

  /// Decodes a tensor of this file into `values`, then lets the system drop its pages.
  ///
  /// Throws InvalidArgument if values.size() is not tensor.values.
  void read(const GgufTensor& tensor, std::span<float> values) const {
    dequantize(tensor.type, bytes(tensor), values);
    release(tensor);
  }

  /// Lets the system drop the pages of a tensor of this file. See MappedFile::release().
  void release(const GgufTensor& tensor) const noexcept { file_.release(tensor.offset, tensor.bytes); }

 private:
  struct Counts {
    std::uint64_t tensors;
    std::uint64_t entries;
  };

  Counts read_header(detail::GgufCursor& cursor) {
    const auto magic = cursor.take(4);
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) throw InvalidFile("expected the magic bytes 'GGUF', found others");
    version_ = cursor.read<std::uint32_t>();
    if (version_ != 0 && (version_ & 0xffffu) == 0) {
      throw InvalidFile("expected a little-endian file, found a big-endian one");
    }
    if (version_ != 2 && version_ != 3) {
      throw InvalidFile("expected GGUF version 2 or 3, found " + std::to_string(version_));
    }
    const Counts counts{cursor.read<std::uint64_t>(), cursor.read<std::uint64_t>()};
    constexpr std::size_t least_tensor = 8 + 4 + 8 + 4 + 8;  // name, rank, one size, type, offset
    constexpr std::size_t least_entry = 8 + 4 + 1;           // key, type, value
    if (counts.tensors > cursor.remaining() / least_tensor || counts.entries > cursor.remaining() / least_entry) {
      throw InvalidFile(std::to_string(counts.tensors) + " tensors and " + std::to_string(counts.entries) +
                        " metadata keys do not fit the " + std::to_string(cursor.remaining()) +
                        " bytes that are left of the file");
    }
    return counts;
  }

  void read_metadata(detail::GgufCursor& cursor, std::uint64_t count, std::string& place) {
    for (std::uint64_t i = 0; i < count; ++i) {
      place = "metadata key number " + std::to_string(i);
      const std::string_view key = cursor.read_string();
      place = "metadata key '" + detail::printable(key) + "'";
      const GgufType type = cursor.read_type();
      const std::size_t start = cursor.position();
      cursor.skip_value(type);
      if (!entry_index_.emplace(key, entries_.size()).second) throw InvalidFile("expected once, found twice");
      entries_.push_back({key, type, file_.bytes().subspan(start, cursor.position() - start)});
    }
  }

  void read_tensors(detail::GgufCursor& cursor, std::uint64_t count, std::string& place) {
    for (std::uint64_t i = 0; i < count; ++i) {
      place = "tensor number " + std::to_string(i);
      const std::string_view name = cursor.read_string();
      place = "tensor '" + detail::printable(name) + "'";
      if (!tensor_index_.emplace(name, tensors_.size()).second) throw InvalidFile("expected once, found twice");
      tensors_.push_back(read_tensor(cursor, name));
    }

    place = "metadata key 'general.alignment'";
    std::size_t alignment = 32;
    if (const GgufEntry* const entry = find_entry("general.alignment")) {
      if (entry->type != GgufType::uint32) {
        throw InvalidFile("expected a uint32, found " + std::string(detail::name_of(entry->type)));
      }
      alignment = detail::GgufCursor(entry->value).read<std::uint32_t>();
      if (!std::has_single_bit(alignment)) {
        throw InvalidFile("expected a power of two, found " + std::to_string(alignment));
      }
    }

    // A file without tensors may end before the padding, so its data section is allowed to start beyond the end.
    const std::size_t start = (cursor.position() + alignment - 1) / alignment * alignment;
    const std::size_t size = file_.bytes().size();
    for (GgufTensor& tensor : tensors_) {
      place = "tensor '" + detail::printable(tensor.name) + "'";
      if (tensor.offset % alignment != 0) {
        throw InvalidFile("expected an offset that is a multiple of " + std::to_string(alignment) + ", found " +
                          std::to_string(tensor.offset));
      }
      if (start > size || tensor.offset > size - start || tensor.bytes > size - start - tensor.offset) {
        throw InvalidFile("needs " + std::to_string(tensor.bytes) + " bytes at offset " +
                          std::to_string(tensor.offset) + " of the data, which begins at " + std::to_string(start) +
                          ", but the file has " + std::to_string(size) + " bytes");
      }
      tensor.offset += start;
    }
  }

  /// Reads one tensor's description. Its offset is still relative to the data section.
  static GgufTensor read_tensor(detail::GgufCursor& cursor, std::string_view name) {
    constexpr std::uint32_t rank_limit = 4;
    const auto rank = cursor.read<std::uint32_t>();
    if (rank == 0 || rank > rank_limit) {
      throw InvalidFile("expected 1 to 4 dimensions, found " + std::to_string(rank));
    }
    GgufTensor tensor{name, std::vector<std::uint64_t>(rank), TensorType::f32, 1, 0, 0};
    // 2^40 values are beyond any model, and leave every product below far from overflow.
    constexpr std::uint64_t values_limit = std::uint64_t{1} << 40;
    for (std::uint64_t& dim : tensor.dims) {
      dim = cursor.read<std::uint64_t>();
      if (dim == 0 || dim > values_limit / tensor.values) {
        throw InvalidFile("expected dimensions of at least 1 and a product of at most 2^40, found " +
                          std::to_string(dim));
      }
      tensor.values *= dim;
    }
    const auto number = cursor.read<std::uint32_t>();
    const auto traits = find_tensor_type(number);
    if (!traits) {
      throw InvalidFile("expected a type among " + tensor_type_names() + ", found type number " +
                        std::to_string(number));
    }
    tensor.type = traits->type;
    if (tensor.dims[0] % traits->block_values != 0) {
      throw InvalidFile("expected rows of a multiple of " + std::to_string(traits->block_values) + " values for type " +
                        std::string(traits->name) + ", found " + std::to_string(tensor.dims[0]));
    }
    tensor.bytes = tensor.values / traits->block_values * traits->block_bytes;
    tensor.offset = cursor.read<std::uint64_t>();
    return tensor;
  }

  const GgufEntry* find_entry(std::string_view key) const noexcept {
    const auto found = entry_index_.find(key);
    return found == entry_index_.end() ? nullptr : &entries_[found->second];
  }

  InvalidFile mismatch(std::string_view key, std::string_view expected, std::string_view found) const {
    return InvalidFile(path() + ": metadata key '" + detail::printable(key) + "': expected " + std::string(expected) +
                       ", found " + std::string(found));
  }

  MappedFile file_;
  std::uint32_t version_ = 0;
  std::vector<GgufEntry> entries_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> entry_index_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace zeroth::model
