// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth_model/encoding/quantize.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The value of general.file_type for a file whose matrices have that type; its vectors are always F32.
/// Throws InvalidArgument for other types.
inline std::uint32_t gguf_file_type(TensorType type) {
  switch (type) {
    case TensorType::f32:
      return 0;
    case TensorType::f16:
      return 1;
    case TensorType::bf16:
      return 32;
    case TensorType::q4_0:
      return 2;
    case TensorType::q8_0:
      return 7;
    default:
      throw InvalidArgument("gguf_file_type: expected F32, F16, BF16, Q8_0 or Q4_0, found type number " +
                            std::to_string(static_cast<std::uint32_t>(type)));
  }
}

/// Writes a GGUF file, version 3, of F32, F16, BF16, Q8_0 and Q4_0 tensors, holding at most a part of one tensor in
/// memory.
///
/// Call in this order: metadata (copy_metadata(), set(), erase()) and add_tensor() for every tensor; then write() for
/// the values of each tensor in the order of add_tensor(); then commit(). Nothing appears under the file's name before
/// commit(). A failed write throws InvalidFile, a call out of order InvalidArgument.
class GgufWriter {
 public:
  explicit GgufWriter(std::string path) : file_(std::move(path)) {}

  /// Copies all metadata of `source` except the keys that describe how `source` stores its tensors: general.file_type
  /// (see gguf_file_type()), general.quantization_version, general.alignment and split.*.
  void copy_metadata(const GgufFile& source) {
    for (const GgufEntry& entry : source.metadata()) {
      if (entry.key == "general.file_type" || entry.key == "general.quantization_version" ||
          entry.key == "general.alignment" || entry.key.starts_with("split.")) {
        continue;
      }
      const auto* const value = reinterpret_cast<const char*>(entry.value.data());
      put(entry.key, entry.type, std::string(value, entry.value.size()));
    }
  }

  /// Sets a metadata value, replacing the value that `key` may have.
  template <GgufValue T>
  void set(std::string_view key, T value) {
    put(key, type_of<T>(), encode(value));
  }

  /// Sets a metadata value to a text.
  void set(std::string_view key, const std::string& value) { set(key, std::string_view(value)); }

  /// Sets a metadata value to an array.
  template <GgufValue T>
  void set_array(std::string_view key, std::span<const T> values) {
    std::string encoded = encode(static_cast<std::uint32_t>(type_of<T>()));
    encoded += encode(std::uint64_t{values.size()});
    for (const T& value : values) encoded += encode(value);
    put(key, GgufType::array, std::move(encoded));
  }

  /// Sets a metadata value to an array of unsigned bytes.
  void set_bytes(std::string_view key, std::string_view bytes) {
    put(key, GgufType::array, encode(static_cast<std::uint32_t>(GgufType::uint8)) + encode(bytes));
  }

  /// Removes a metadata key if it exists.
  void erase(std::string_view key) {
    require_no_values();
    std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
  }

  /// Announces a tensor of type f32, f16, bf16, q8_0 or q4_0. `dims` are in GGUF's order, fastest-varying first:
  /// {columns, rows} for a matrix.
  void add_tensor(std::string_view name, std::span<const std::uint64_t> dims, TensorType type = TensorType::f32) {
    require_no_values();
    const auto fail = [&](const char* what) {
      throw InvalidArgument(file_.path() + ": tensor '" + detail::printable(name) + "': " + what);
    };
    if (type != TensorType::f32 && type != TensorType::f16 && type != TensorType::bf16 && type != TensorType::q8_0 &&
        type != TensorType::q4_0) {
      fail("expected type F32, F16, BF16, Q8_0 or Q4_0");
    }
    if (dims.empty() || dims.size() > 4) fail("expected 1 to 4 dimensions");
    if (dims[0] % traits_of(type).block_values != 0)
      fail("expected rows of a multiple of 32 values for a quantised type");
    if (std::any_of(tensors_.begin(), tensors_.end(), [&](const Tensor& tensor) { return tensor.name == name; })) {
      fail("expected once, found twice");
    }
    std::uint64_t values = 1;
    for (const std::uint64_t dim : dims) {
      if (dim == 0 || dim > (std::uint64_t{1} << 40) / values) {
        fail("expected dimensions of at least 1 and a product of at most 2^40");
      }
      values *= dim;
    }
    tensors_.push_back({std::string(name), {dims.begin(), dims.end()}, values, type});
  }

  /// Writes the next values of tensor `name`: all of them, or parts one after the other. They are rounded to the
  /// tensor's type, to nearest even. Throws InvalidArgument if rounding makes a finite value infinite.
  void write(std::string_view name, std::span<const float> values) {
    if (!header_written_) write_header();
    const std::string found = std::to_string(values.size()) + " values of '" + detail::printable(name) + "'";
    if (current_ == tensors_.size()) throw InvalidArgument(file_.path() + ": expected no more values, found " + found);
    const Tensor& tensor = tensors_[current_];
    const std::uint64_t left = tensor.values - written_;
    if (tensor.name != name || values.size() > left) {
      throw InvalidArgument(file_.path() + ": expected at most " + std::to_string(left) + " values of '" + tensor.name +
                            "', found " + found);
    }
    switch (tensor.type) {
      case TensorType::f16:
        write_narrow<float_to_half, 0x7c00>(values);
        break;
      case TensorType::bf16:
        write_narrow<float_to_bfloat16, 0x7f80>(values);
        break;
      case TensorType::q8_0:
      case TensorType::q4_0:
        write_blocks(values);
        break;
      default:
        file_.write(std::as_bytes(values));
    }
    written_ += values.size();
    if (written_ == tensor.values) {
      pad();
      ++current_;
      written_ = 0;
    }
  }

  /// Writes the file to disk and gives it its name. Throws InvalidArgument if values are missing.
  void commit() {
    if (!header_written_) write_header();
    if (current_ < tensors_.size()) {
      throw InvalidArgument(file_.path() + ": tensor '" + tensors_[current_].name + "': expected " +
                            std::to_string(tensors_[current_].values) + " values, found " + std::to_string(written_));
    }
    file_.commit();
  }

 private:
  static constexpr std::uint64_t alignment = 32;

  struct Entry {
    std::string key;
    GgufType type;
    std::string value;
  };

  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> dims;
    std::uint64_t values;
    TensorType type;
  };

  static TensorTypeTraits traits_of(TensorType type) { return *find_tensor_type(static_cast<std::uint32_t>(type)); }

  template <GgufValue T>
  static constexpr GgufType type_of() noexcept {
    if constexpr (std::same_as<T, bool>) return GgufType::boolean;
    if constexpr (std::same_as<T, std::string_view>) return GgufType::string;
    if constexpr (std::same_as<T, float>) return GgufType::float32;
    if constexpr (std::same_as<T, double>) return GgufType::float64;
    if constexpr (std::same_as<T, std::uint32_t>) return GgufType::uint32;
    if constexpr (std::same_as<T, std::int32_t>) return GgufType::int32;
    if constexpr (std::same_as<T, std::uint64_t>) return GgufType::uint64;
    return GgufType::int64;
  }

  template <GgufValue T>
  static std::string encode(T value) {
    if constexpr (std::same_as<T, std::string_view>) {
      return encode(std::uint64_t{value.size()}) + std::string(value);
    } else {
      return {reinterpret_cast<const char*>(&value), sizeof value};
    }
  }

  void require_no_values() const {
    if (header_written_) {
      throw InvalidArgument(file_.path() + ": expected all metadata and tensors before the first values");
    }
  }

  void put(std::string_view key, GgufType type, std::string value) {
    require_no_values();
    if (key == "general.alignment") {
      throw InvalidArgument(file_.path() + ": metadata key 'general.alignment': expected to be left at its default");
    }
    const auto same = [&](const Entry& entry) { return entry.key == key; };
    const auto found = std::find_if(entries_.begin(), entries_.end(), same);
    if (found == entries_.end()) {
      entries_.push_back({std::string(key), type, std::move(value)});
    } else {
      found->type = type;
      found->value = std::move(value);
    }
  }

  void write_header() {
    header_written_ = true;
    file_.write("GGUF" + encode(std::uint32_t{3}) + encode(std::uint64_t{tensors_.size()}) +
                encode(std::uint64_t{entries_.size()}));
    for (const Entry& entry : entries_) {
      file_.write(encode(std::string_view(entry.key)) + encode(static_cast<std::uint32_t>(entry.type)));
      file_.write(entry.value);
    }
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
      file_.write(encode(std::string_view(tensor.name)) + encode(static_cast<std::uint32_t>(tensor.dims.size())));
      for (const std::uint64_t dim : tensor.dims) file_.write(encode(dim));
      file_.write(encode(static_cast<std::uint32_t>(tensor.type)) + encode(offset));
      offset += (traits_of(tensor.type).bytes_of(tensor.values) + alignment - 1) / alignment * alignment;
    }
    pad();
  }

  /// Writes values of the current tensor as 16 bits each; `narrow` returns `infinity` for a value out of range.
  template <auto narrow, std::uint16_t infinity>
  void write_narrow(std::span<const float> values) {
    const auto overflows = [](float value) { return std::isfinite(value) && (narrow(value) & 0x7fffu) == infinity; };
    const auto found = std::find_if(values.begin(), values.end(), overflows);
    if (found != values.end()) {
      const Tensor& tensor = tensors_[current_];
      throw InvalidArgument(file_.path() + ": tensor '" + tensor.name + "': expected values in the range of " +
                            std::string(traits_of(tensor.type).name) + ", found " + std::to_string(*found));
    }
    std::array<std::uint16_t, 4096> narrowed;
    while (!values.empty()) {
      const auto part = values.first(std::min(values.size(), narrowed.size()));
      std::transform(part.begin(), part.end(), narrowed.begin(), narrow);
      file_.write(std::as_bytes(std::span(narrowed).first(part.size())));
      values = values.subspan(part.size());
    }
  }

  /// Writes values of the current tensor as blocks, which no two calls may share.
  void write_blocks(std::span<const float> values) {
    const Tensor& tensor = tensors_[current_];
    blocks_.clear();
    try {
      quantize(tensor.type, values, blocks_);
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(file_.path() + ": tensor '" + tensor.name + "': " + error.what());
    }
    file_.write(std::span<const std::byte>(blocks_));
  }

  void pad() {
    while (file_.size() % alignment != 0) file_.write(std::string_view("\0", 1));
  }

  AtomicFile file_;
  std::vector<Entry> entries_;
  std::vector<Tensor> tensors_;
  bool header_written_ = false;
  std::size_t current_ = 0;    // tensor whose values come next
  std::uint64_t written_ = 0;  // number of its values written so far
  std::vector<std::byte> blocks_;
};

}  // namespace zeroth::ZEROTH_ISA::model
