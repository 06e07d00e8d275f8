// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// The format's name for a writable type: F32, F16 or BF16. Throws InvalidArgument for others.
inline std::string_view safetensors_dtype(TensorType type) {
  if (type == TensorType::f32) return "F32";
  if (type == TensorType::f16) return "F16";
  if (type == TensorType::bf16) return "BF16";
  const auto traits = find_tensor_type(static_cast<std::uint32_t>(type));
  throw InvalidArgument("expected a type among F32, F16, BF16, found " +
                        std::string(traits ? traits->name : "another"));
}

/// Bytes per value of such a type.
constexpr std::size_t safetensors_value_bytes(TensorType type) noexcept {
  return type == TensorType::f32 ? 4 : 2;
}

}  // namespace detail

/// A tensor to write as safetensors. The constructor checks it.
struct SafetensorsEntry {
  /// `shape` has the slowest-varying size first: {rows, columns} for a matrix. Throws InvalidArgument if the name is
  /// reserved by the format, a size is 0, the product is above 2^40, or the type is not F32, F16 or BF16.
  SafetensorsEntry(std::string_view tensor_name, std::span<const std::uint64_t> tensor_shape, TensorType tensor_type)
      : name(tensor_name),
        shape(tensor_shape.begin(), tensor_shape.end()),
        type(tensor_type),
        dtype(detail::safetensors_dtype(tensor_type)) {
    if (name == "__metadata__") throw InvalidArgument("expected another name, this one is reserved by the format");
    constexpr std::uint64_t values_limit = std::uint64_t{1} << 40;
    for (const std::uint64_t dim : shape) {
      if (dim == 0 || dim > values_limit / values) {
        throw InvalidArgument("expected sizes of at least 1 and a product of at most 2^40");
      }
      values *= dim;
    }
    bytes = values * detail::safetensors_value_bytes(type);
  }

  std::string name;
  std::vector<std::uint64_t> shape;
  TensorType type;
  std::string_view dtype;
  std::uint64_t values = 1;
  std::uint64_t bytes = 0;
};

/// Writes a safetensors file that Hugging Face transformers reads, holding at most a part of one tensor in memory.
///
/// Call in this order: add_tensor() for every tensor; then write() for the values of each in the order of add_tensor();
/// then commit(). Nothing appears under the file's name before commit(). A failed write throws InvalidFile, a call out
/// of order InvalidArgument. Format: https://huggingface.co/docs/safetensors
class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(std::string path) : file_(std::move(path)) {}

  /// Announces a tensor of F32, F16 or BF16. `shape` has the slowest-varying size first: {rows, columns} for a matrix.
  ///
  /// A file has no gaps, so F32 tensors must not follow an odd number of 16-bit values: they would be misaligned, and
  /// readers that map them would fail. Add the F32 tensors first.
  void add_tensor(std::string_view name, std::span<const std::uint64_t> shape, TensorType type = TensorType::f32) {
    if (header_written_) fail(name, "expected all tensors before the first values");
    try {
      SafetensorsEntry tensor(name, shape, type);
      if (bytes_ % detail::safetensors_value_bytes(type) != 0) {
        throw InvalidArgument("expected a multiple of 4 bytes before values of F32, found " + std::to_string(bytes_));
      }
      if (!names_.emplace(name).second) throw InvalidArgument("expected once, found twice");
      bytes_ += tensor.bytes;
      tensors_.push_back(std::move(tensor));
    } catch (const InvalidArgument& error) {
      fail(name, error.what());
    }
  }

  /// Writes the next values of tensor `name`: all of them, or parts one after the other. They are rounded to the
  /// nearest value of the tensor's type, which is infinity beyond the largest one.
  void write(std::string_view name, std::span<const float> values) {
    if (!header_written_) write_header();
    if (current_ == tensors_.size()) fail(name, "expected no more values");
    const SafetensorsEntry& tensor = tensors_[current_];
    const std::uint64_t left = tensor.values - written_;
    if (tensor.name != name || values.size() > left) {
      fail(name, "expected at most " + std::to_string(left) + " values of '" + detail::printable(tensor.name) +
                     "', found " + std::to_string(values.size()));
    }
    if (tensor.type == TensorType::f32) {
      file_.write(std::as_bytes(values));
    } else if (tensor.type == TensorType::f16) {
      write_narrowed(values, float_to_half);
    } else {
      write_narrowed(values, float_to_bfloat16);
    }
    written_ += values.size();
    if (written_ == tensor.values) {
      ++current_;
      written_ = 0;
    }
  }

  /// Writes the file to disk and gives it its name. Throws InvalidArgument if values are missing.
  void commit() {
    if (!header_written_) write_header();
    if (current_ < tensors_.size()) {
      const SafetensorsEntry& tensor = tensors_[current_];
      fail(tensor.name, "expected " + std::to_string(tensor.values) + " values, found " + std::to_string(written_));
    }
    file_.commit();
  }

 private:
  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    throw InvalidArgument(file_.path() + ": tensor '" + detail::printable(name) + "': " + what);
  }

  template <class Narrow>
  void write_narrowed(std::span<const float> values, Narrow narrow) {
    std::array<std::uint16_t, 4096> narrowed{};
    while (!values.empty()) {
      const std::size_t count = std::min(values.size(), narrowed.size());
      for (std::size_t i = 0; i < count; ++i) narrowed[i] = narrow(values[i]);
      file_.write(std::as_bytes(std::span(narrowed).first(count)));
      values = values.subspan(count);
    }
  }

  void write_header() {
    std::string text = R"({"__metadata__":{"format":"pt"})";
    std::uint64_t offset = 0;
    for (const SafetensorsEntry& tensor : tensors_) {
      const nlohmann::ordered_json item = {
          {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes}}};
      try {
        text += ',' + nlohmann::json(tensor.name).dump() + ':' + item.dump();
      } catch (const nlohmann::json::exception&) {
        fail(tensor.name, "expected a name in UTF-8");
      }
      offset += tensor.bytes;
    }
    text += '}';
    constexpr std::size_t alignment = 8;
    text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');
    const std::uint64_t length = text.size();
    file_.write(std::as_bytes(std::span(&length, 1)));
    file_.write(text);
    header_written_ = true;
  }

  AtomicFile file_;
  std::vector<SafetensorsEntry> tensors_;
  std::unordered_set<std::string> names_;
  std::uint64_t bytes_ = 0;  // of all tensors
  bool header_written_ = false;
  std::size_t current_ = 0;    // tensor whose values come next
  std::uint64_t written_ = 0;  // number of its values written so far
};

}  // namespace zeroth::ZEROTH_ISA::model
