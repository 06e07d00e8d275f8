// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The place of a tensor in a safetensors file, or in one file of a checkpoint, and its encoding.
struct SafetensorsTensor {
  std::string name;
  std::string dtype;                 ///< as the format spells it: "F32", "BF16", "I64", ...
  std::vector<std::uint64_t> shape;  ///< slowest-varying size first: a matrix is {rows, columns}; a scalar has none
  std::size_t values;                ///< product of `shape`
  std::size_t offset;                ///< of the first byte, from the start of the file
  std::size_t bytes;
  std::size_t part = 0;  ///< number of the file in SafetensorsCheckpoint::parts()
};

/// A safetensors file, memory-mapped. The constructor checks the whole header, as the format demands: every tensor's
/// bytes fit its type and shape, and together they cover the data without gap or overlap. Tensors live as long as this
/// object, or the one it was moved to. Format: https://huggingface.co/docs/safetensors
class SafetensorsFile {
 public:
  /// Opens and checks `path`. Throws InvalidFile naming the file, the tensor, and what is wrong with it.
  explicit SafetensorsFile(std::string path) : SafetensorsFile(MappedFile(std::move(path))) {}

  /// Checks an open file. Throws as the other constructor does.
  explicit SafetensorsFile(MappedFile file) : file_(std::move(file)) {
    std::string place = "header";
    try {
      read_header(place);
    } catch (const InvalidFile& error) {
      throw InvalidFile(file_.path() + ": " + place + ": " + error.what());
    } catch (const nlohmann::json::exception& error) {
      throw InvalidFile(file_.path() + ": " + place + ": " + detail::json_error_text({}, error));
    }
    index_.reserve(tensors_.size());
    for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  }

  const std::string& path() const noexcept { return file_.path(); }

  /// All tensors in the order of their bytes in the file.
  std::span<const SafetensorsTensor> tensors() const noexcept { return tensors_; }

  /// The tensor called `name`, or null.
  const SafetensorsTensor* find_tensor(std::string_view name) const noexcept {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }

  /// The tensor called `name`. Throws InvalidFile if there is none.
  const SafetensorsTensor& tensor(std::string_view name) const {
    if (const SafetensorsTensor* const found = find_tensor(name)) return *found;
    throw InvalidFile(path() + ": tensor '" + detail::printable(name) + "' is missing");
  }

  /// The encoded values of a tensor of this file. Valid as long as this object lives.
  std::span<const std::byte> bytes(const SafetensorsTensor& tensor) const noexcept {
    return file_.bytes().subspan(tensor.offset, tensor.bytes);
  }

  /// Decodes a tensor of this file into `values`, then lets the system drop its pages.
  ///
  /// Throws InvalidFile if its type is not F32, F16 or BF16, InvalidArgument if values.size() is not tensor.values.
  void read(const SafetensorsTensor& tensor, std::span<float> values) const {
    constexpr std::pair<std::string_view, TensorType> types[] = {
        {"F32", TensorType::f32}, {"F16", TensorType::f16}, {"BF16", TensorType::bf16}};
    for (const auto& [name, type] : types) {
      if (name != tensor.dtype) continue;
      dequantize(type, bytes(tensor), values);
      return release(tensor);
    }
    throw InvalidFile(path() + ": tensor '" + detail::printable(tensor.name) + "': expected F32, F16 or BF16, found " +
                      detail::printable(tensor.dtype));
  }

  /// Lets the system drop the pages of a tensor of this file. See MappedFile::release().
  void release(const SafetensorsTensor& tensor) const noexcept { file_.release(tensor.offset, tensor.bytes); }

  /// Throws InvalidFile if the file was written to. See MappedFile::require_unchanged().
  void require_unchanged() const { file_.require_unchanged(); }

 private:
  void read_header(std::string& place) {
    const auto file = file_.bytes();
    std::uint64_t length = 0;
    if (file.size() < sizeof length)
      throw InvalidFile("expected at least 8 bytes, found " + std::to_string(file.size()));
    std::memcpy(&length, file.data(), sizeof length);
    constexpr std::uint64_t length_limit = 100'000'000;  // set by the format
    if (length > length_limit || length > file.size() - sizeof length) {
      throw InvalidFile("its length, " + std::to_string(length) + " bytes, does not fit the file's " +
                        std::to_string(file.size()) + " bytes");
    }
    const auto* const text = reinterpret_cast<const char*>(file.data()) + sizeof length;
    constexpr std::size_t nesting = 3;  // header, tensor, shape
    const nlohmann::json header = detail::parse_json({text, length}, nesting);
    if (!header.is_object()) throw InvalidFile("expected a JSON object, found " + std::string(header.type_name()));

    const std::size_t start = sizeof length + length;
    for (const auto& [name, item] : header.items()) {
      if (name == "__metadata__") {
        place = "key '__metadata__'";
        check_metadata(item);
        continue;
      }
      place = "tensor '" + detail::printable(name) + "'";
      tensors_.push_back(read_tensor(name, item, start, file.size() - start));
    }
    std::sort(tensors_.begin(), tensors_.end(),
              [](const auto& a, const auto& b) { return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes); });
    std::size_t end = start;
    for (const SafetensorsTensor& tensor : tensors_) {
      place = "tensor '" + detail::printable(tensor.name) + "'";
      if (tensor.offset != end) {
        throw InvalidFile("expected its data to begin at byte " + std::to_string(end - start) +
                          ", where the tensor before ends, found " + std::to_string(tensor.offset - start));
      }
      end += tensor.bytes;
    }
    place = "data";
    if (end != file.size()) {
      throw InvalidFile("expected " + std::to_string(end - start) + " bytes, found " +
                        std::to_string(file.size() - start));
    }
  }

  static void check_metadata(const nlohmann::json& metadata) {
    if (metadata.is_null()) return;  // the format's own reader also accepts null as none
    if (!metadata.is_object()) throw InvalidFile("expected an object, found " + detail::describe_json(metadata));
    for (const auto& [key, value] : metadata.items()) {
      if (value.is_string()) continue;
      throw InvalidFile("expected a string for '" + detail::printable(key) + "', found " +
                        detail::describe_json(value));
    }
  }

  static SafetensorsTensor read_tensor(const std::string& name, const nlohmann::json& item, std::size_t start,
                                       std::size_t data_size) {
    SafetensorsTensor tensor{name, item.at("dtype").get<std::string>(), {}, 1, 0, 0};
    const std::size_t bits = bits_of(tensor.dtype);
    constexpr std::uint64_t values_limit = std::uint64_t{1} << 40;
    for (const nlohmann::json& dim : item.at("shape").get_ref<const nlohmann::json::array_t&>()) {
      tensor.shape.push_back(unsigned_integer(dim));
      const std::uint64_t size = tensor.shape.back();
      if (tensor.values != 0 && size > values_limit / tensor.values) {
        throw InvalidFile("expected a shape whose product is at most 2^40");
      }
      tensor.values *= size;
    }
    const nlohmann::json& offsets = item.at("data_offsets");
    if (offsets.size() != 2) throw InvalidFile("expected two data_offsets, found " + std::to_string(offsets.size()));
    const std::uint64_t begin = unsigned_integer(offsets.at(0));
    const std::uint64_t end = unsigned_integer(offsets.at(1));
    if (begin > end || end > data_size) {
      throw InvalidFile("needs the bytes from " + std::to_string(begin) + " to " + std::to_string(end) +
                        " of the data, but the file has " + std::to_string(data_size));
    }
    tensor.offset = start + begin;
    tensor.bytes = end - begin;
    if (std::uint64_t{tensor.bytes} * 8 != tensor.values * bits) {
      if (tensor.values * bits % 8 != 0) {
        throw InvalidFile("expected values that fill whole bytes, found " + std::to_string(tensor.values) + " of " +
                          std::to_string(bits) + " bits");
      }
      throw InvalidFile("expected " + std::to_string(tensor.values * bits / 8) +
                        " bytes for its type and shape, found " + std::to_string(tensor.bytes));
    }
    return tensor;
  }

  static std::uint64_t unsigned_integer(const nlohmann::json& value) {
    if (!value.is_number_unsigned()) {
      throw InvalidFile("expected an unsigned integer, found " + std::string(value.type_name()));
    }
    return value.get<std::uint64_t>();
  }

  /// Bits per value. Every type of the format has an entry, including unreadable ones.
  static std::size_t bits_of(std::string_view dtype) {
    constexpr std::pair<std::string_view, std::size_t> sizes[] = {
        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"BOOL", 8},        {"U8", 8},   {"I8", 8},
        {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8},     {"U16", 16},        {"I16", 16}, {"F16", 16},
        {"BF16", 16},   {"U32", 32},    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I32", 32}, {"F32", 32},
        {"U64", 64},    {"I64", 64},    {"F64", 64},        {"C64", 64}};
    for (const auto& [name, bits] : sizes) {
      if (name == dtype) return bits;
    }
    throw InvalidFile("expected a known dtype, found '" + detail::printable(dtype) + "'");
  }

  MappedFile file_;
  std::vector<SafetensorsTensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;  // by name, which lies in tensors_
};

}  // namespace zeroth::ZEROTH_ISA::model
