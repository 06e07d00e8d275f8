// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/gguf/gguf_metadata.hpp>
#include <zeroth_model/io/gguf/gguf_value.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The place of a tensor in a GGUF file and its encoding.
struct GgufTensor {
  std::string_view name;
  std::vector<std::uint64_t> dims;  ///< 1 to 4 sizes, fastest-varying first: a matrix is {columns, rows}
  TensorType type;
  std::size_t values;  ///< product of `dims`
  std::size_t offset;  ///< of the first byte, from the start of its file
  std::size_t bytes;
  std::size_t part = 0;  ///< number of that file within the model
};

namespace detail {

/// One memory-mapped GGUF file: a model, or one part of a split model.
///
/// The constructor checks the whole header: afterwards every string lies inside the file and every tensor has all its
/// bytes.
class GgufPart {
 public:
  /// Checks `file`; `number` becomes the part of its tensors. Throws InvalidFile naming the file, the key or tensor,
  /// and what is wrong with it.
  explicit GgufPart(MappedFile file, std::size_t number = 0)
      : file_(std::move(file)), metadata_(file_.path()), number_(number) {
    GgufCursor cursor(file_.bytes());
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
  const GgufMetadata& metadata() const noexcept { return metadata_; }

  /// All tensors in the order of the file.
  std::span<const GgufTensor> tensors() const noexcept { return tensors_; }

  /// The encoded values of a tensor of this file.
  std::span<const std::byte> bytes(const GgufTensor& tensor) const noexcept {
    return file_.bytes().subspan(tensor.offset, tensor.bytes);
  }

  /// All bytes of this file.
  std::span<const std::byte> file_bytes() const noexcept { return file_.bytes(); }

  /// Lets the system drop the pages of a tensor of this file. See MappedFile::release().
  void release(const GgufTensor& tensor) const noexcept { file_.release(tensor.offset, tensor.bytes); }

  /// Keeps metadata and names in memory. See MappedFile::keep().
  void keep_header() { file_.keep(header_bytes_); }

  /// Throws InvalidFile if the file was written to. See MappedFile::require_unchanged().
  void require_unchanged() const { file_.require_unchanged(); }

 private:
  struct Counts {
    std::uint64_t tensors;
    std::uint64_t entries;
  };

  Counts read_header(GgufCursor& cursor) {
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

  void read_metadata(GgufCursor& cursor, std::uint64_t count, std::string& place) {
    for (std::uint64_t i = 0; i < count; ++i) {
      place = "metadata key number " + std::to_string(i);
      const std::string_view key = cursor.read_string();
      place = "metadata key '" + printable(key) + "'";
      const GgufType type = cursor.read_type();
      const std::size_t start = cursor.position();
      cursor.skip_value(type);
      metadata_.add({key, type, file_.bytes().subspan(start, cursor.position() - start)});
    }
  }

  void read_tensors(GgufCursor& cursor, std::uint64_t count, std::string& place) {
    std::unordered_set<std::string_view> names;
    for (std::uint64_t i = 0; i < count; ++i) {
      place = "tensor number " + std::to_string(i);
      const std::string_view name = cursor.read_string();
      place = "tensor '" + printable(name) + "'";
      if (!names.insert(name).second) throw InvalidFile("expected once, found twice");
      tensors_.push_back(read_tensor(cursor, name));
    }

    header_bytes_ = cursor.position();
    place = "metadata key 'general.alignment'";
    std::size_t alignment = 32;
    if (const GgufEntry* const entry = metadata_.find_entry("general.alignment")) {
      if (entry->type != GgufType::uint32) {
        throw InvalidFile("expected a uint32, found " + std::string(name_of(entry->type)));
      }
      alignment = GgufCursor(entry->value).read<std::uint32_t>();
      if (!std::has_single_bit(alignment)) {
        throw InvalidFile("expected a power of two, found " + std::to_string(alignment));
      }
    }

    // A file without tensors may end before the padding, so its data section may start past the end.
    const std::size_t start = (cursor.position() + alignment - 1) / alignment * alignment;
    const std::size_t size = file_.bytes().size();
    for (GgufTensor& tensor : tensors_) {
      place = "tensor '" + printable(tensor.name) + "'";
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
  GgufTensor read_tensor(GgufCursor& cursor, std::string_view name) const {
    constexpr std::uint32_t rank_limit = 4;
    const auto rank = cursor.read<std::uint32_t>();
    if (rank == 0 || rank > rank_limit) {
      throw InvalidFile("expected 1 to 4 dimensions, found " + std::to_string(rank));
    }
    GgufTensor tensor{name, std::vector<std::uint64_t>(rank), TensorType::f32, 1, 0, 0, number_};
    // 2^40 values exceed any model and keep every product below far from overflow.
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

  MappedFile file_;
  GgufMetadata metadata_;
  std::size_t number_;
  std::uint32_t version_ = 0;
  std::size_t header_bytes_ = 0;
  std::vector<GgufTensor> tensors_;
};

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA::model
