// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/model/format/atomic_file.hpp>
#include <zeroth/model/format/dequantize.hpp>
#include <zeroth/model/format/mapped_file.hpp>
#include <zeroth/model/format/printable.hpp>

namespace zeroth::model {

/// Where a tensor lies in a safetensors file and how it is encoded.
struct SafetensorsTensor {
  std::string name;
  std::string dtype;                 ///< as the format spells it: "F32", "BF16", "I64", ...
  std::vector<std::uint64_t> shape;  ///< the slowest size first: a matrix is {rows, columns}; a scalar has none
  std::size_t values;                ///< product of `shape`
  std::size_t offset;                ///< of the first byte, from the start of the file
  std::size_t bytes;
};

/// Writes a safetensors file of F32 tensors as Hugging Face transformers reads it, without holding more than a part of
/// one in memory.
///
/// In this order: add_tensor() for every tensor; then write() the values of each in the order they were added; then
/// commit(). Nothing appears under the file's name before commit(). A failed write throws InvalidFile, a call out of
/// order InvalidArgument. Format: https://huggingface.co/docs/safetensors
class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(std::string path) : file_(std::move(path)) {}

  /// Announces a tensor. `shape` has the slowest size first: {rows, columns} for a matrix.
  void add_tensor(std::string_view name, std::span<const std::uint64_t> shape) {
    if (header_written_) fail(name, "expected all tensors before the first values");
    if (name == "__metadata__") fail(name, "expected another name, this one is the format's own");
    if (std::any_of(tensors_.begin(), tensors_.end(), [&](const Tensor& tensor) { return tensor.name == name; })) {
      fail(name, "expected once, found twice");
    }
    constexpr std::uint64_t values_limit = std::uint64_t{1} << 40;
    std::uint64_t values = 1;
    for (const std::uint64_t dim : shape) {
      if (dim == 0 || dim > values_limit / values) {
        fail(name, "expected sizes of at least 1 and a product of at most 2^40");
      }
      values *= dim;
    }
    tensors_.push_back({std::string(name), {shape.begin(), shape.end()}, values});
  }

  /// Writes the next values of tensor `name`: all of it, or parts of it one after the other.
  void write(std::string_view name, std::span<const float> values) {
    if (!header_written_) write_header();
    if (current_ == tensors_.size()) fail(name, "expected no more values");
    const Tensor& tensor = tensors_[current_];
    const std::uint64_t left = tensor.values - written_;
    if (tensor.name != name || values.size() > left) {
      fail(name, "expected at most " + std::to_string(left) + " values of '" + tensor.name + "', found " +
                     std::to_string(values.size()));
    }
    file_.write(std::as_bytes(values));
    written_ += values.size();
    if (written_ == tensor.values) {
      ++current_;
      written_ = 0;
    }
  }

  /// Puts the file on disk and gives it its name. Throws InvalidArgument if values are missing.
  void commit() {
    if (!header_written_) write_header();
    if (current_ < tensors_.size()) {
      const Tensor& tensor = tensors_[current_];
      fail(tensor.name, "expected " + std::to_string(tensor.values) + " values, found " + std::to_string(written_));
    }
    file_.commit();
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint64_t values;
  };

  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    throw InvalidArgument(file_.path() + ": tensor '" + detail::printable(name) + "': " + what);
  }

  void write_header() {
    nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
      const std::uint64_t end = offset + tensor.values * sizeof(float);
      header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
      offset = end;
    }
    std::string text;
    try {
      text = header.dump();
    } catch (const nlohmann::json::exception&) {
      throw InvalidArgument(file_.path() + ": expected tensor names in UTF-8");
    }
    constexpr std::size_t alignment = 8;
    text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');
    const std::uint64_t length = text.size();
    file_.write(std::as_bytes(std::span(&length, 1)));
    file_.write(text);
    header_written_ = true;
  }

  AtomicFile file_;
  std::vector<Tensor> tensors_;
  bool header_written_ = false;
  std::size_t current_ = 0;    // tensor whose values come next
  std::uint64_t written_ = 0;  // values of it that are written
};

/// A safetensors file, memory-mapped. The constructor checks the whole header, as the format demands: every tensor's
/// bytes fit its type and shape, and together they cover the data without gap or overlap.
class SafetensorsFile {
 public:
  /// Opens and checks `path`. Throws InvalidFile naming the file, the tensor, and what is wrong with it.
  explicit SafetensorsFile(std::string path) : file_(std::move(path)) {
    std::string place = "header";
    try {
      read_header(place);
    } catch (const InvalidFile& error) {
      throw InvalidFile(file_.path() + ": " + place + ": " + error.what());
    } catch (const nlohmann::json::exception& error) {
      throw InvalidFile(file_.path() + ": " + place + ": " + detail::printable(error.what()));
    }
  }

  const std::string& path() const noexcept { return file_.path(); }

  /// All tensors in the order of their bytes in the file.
  std::span<const SafetensorsTensor> tensors() const noexcept { return tensors_; }

  /// The tensor called `name`. Throws InvalidFile if there is none.
  const SafetensorsTensor& tensor(std::string_view name) const {
    for (const SafetensorsTensor& tensor : tensors_) {
      if (tensor.name == name) return tensor;
    }
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
      file_.release(tensor.offset, tensor.bytes);
      return;
    }
    throw InvalidFile(path() + ": tensor '" + detail::printable(tensor.name) + "': expected F32, F16 or BF16, found " +
                      tensor.dtype);
  }

 private:
  void read_header(std::string& place) {
    const auto file = file_.bytes();
    std::uint64_t length = 0;
    if (file.size() < sizeof length)
      throw InvalidFile("expected at least 8 bytes, found " + std::to_string(file.size()));
    std::memcpy(&length, file.data(), sizeof length);
    constexpr std::uint64_t length_limit = 100'000'000;  // the format's own
    if (length > length_limit || length > file.size() - sizeof length) {
      throw InvalidFile("its length, " + std::to_string(length) + " bytes, does not fit the file's " +
                        std::to_string(file.size()) + " bytes");
    }
    const auto* const text = reinterpret_cast<const char*>(file.data()) + sizeof length;
    const nlohmann::json header = parse(text, text + length);
    if (!header.is_object()) throw InvalidFile("expected a JSON object, found " + std::string(header.type_name()));

    const std::size_t start = sizeof length + length;
    for (const auto& [name, item] : header.items()) {
      if (name == "__metadata__") continue;
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

  /// Parses the header; a key that an object has twice is an error, not a matter of which one wins.
  static nlohmann::json parse(const char* begin, const char* end) {
    using Event = nlohmann::json::parse_event_t;
    std::vector<std::set<std::string>> open_objects;
    return nlohmann::json::parse(begin, end, [&](int, Event event, nlohmann::json& value) {
      if (event == Event::object_start) open_objects.emplace_back();
      if (event == Event::object_end) open_objects.pop_back();
      if (event == Event::key && !open_objects.back().insert(value.get<std::string>()).second) {
        throw InvalidFile("key '" + detail::printable(value.get<std::string>()) + "': expected once, found twice");
      }
      return true;
    });
  }

  static SafetensorsTensor read_tensor(const std::string& name, const nlohmann::json& item, std::size_t start,
                                       std::size_t data_size) {
    SafetensorsTensor tensor{name, item.at("dtype").get<std::string>(), {}, 1, 0, 0};
    const std::size_t value_size = size_of(tensor.dtype);
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
    if (tensor.bytes != tensor.values * value_size) {
      throw InvalidFile("expected " + std::to_string(tensor.values * value_size) +
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

  static std::size_t size_of(std::string_view dtype) {
    constexpr std::pair<std::string_view, std::size_t> sizes[] = {
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
        {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8}};
    for (const auto& [name, size] : sizes) {
      if (name == dtype) return size;
    }
    throw InvalidFile("expected a known dtype, found '" + detail::printable(dtype) + "'");
  }

  MappedFile file_;
  std::vector<SafetensorsTensor> tensors_;
};

}  // namespace zeroth::model
