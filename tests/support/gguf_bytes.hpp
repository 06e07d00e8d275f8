// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth_test {

/// The numbers of metadata types.
namespace gguf_types {

enum : std::uint32_t { t_uint8, t_int8, t_uint16, t_int16, t_uint32, t_int32, t_float32, t_bool, t_string, t_array };
enum : std::uint32_t { t_uint64 = 10, t_int64, t_float64 };

}  // namespace gguf_types

/// Lays the bytes of a GGUF file end to end, right or wrong.
class GgufBytes {
 public:
  template <class T>
  GgufBytes& put(T value) {
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufBytes& u16(std::uint16_t value) { return put(value); }
  GgufBytes& u32(std::uint32_t value) { return put(value); }
  GgufBytes& u64(std::uint64_t value) { return put(value); }
  GgufBytes& raw(std::string_view text) {
    data_ += text;
    return *this;
  }
  GgufBytes& text(std::string_view text) { return u64(text.size()).raw(text); }
  GgufBytes& header(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(tensors).u64(entries);
  }

  // Metadata: a key and its value.
  template <class T>
  GgufBytes& scalar(std::string_view key, std::uint32_t type, T value) {
    return text(key).u32(type).put(value);
  }
  GgufBytes& string(std::string_view key, std::string_view value) {
    return text(key).u32(gguf_types::t_string).text(value);
  }
  GgufBytes& strings(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, gguf_types::t_string, values.size());
    for (const std::string& value : values) text(value);
    return *this;
  }
  GgufBytes& integers(std::string_view key, const std::vector<std::int32_t>& values) {
    begin_array(key, gguf_types::t_int32, values.size());
    for (const std::int32_t value : values) put(value);
    return *this;
  }
  GgufBytes& floats(std::string_view key, const std::vector<float>& values) {
    begin_array(key, gguf_types::t_float32, values.size());
    for (const float value : values) put(value);
    return *this;
  }

  GgufBytes& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                    std::uint64_t offset) {
    text(name).u32(static_cast<std::uint32_t>(dims.size()));
    for (const auto dim : dims) u64(dim);
    return u32(type).u64(offset);
  }
  GgufBytes& pad(std::size_t alignment = 32) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  GgufBytes& zeros(std::size_t count) {
    data_.resize(data_.size() + count);
    return *this;
  }
  const std::string& data() const { return data_; }

 private:
  void begin_array(std::string_view key, std::uint32_t element, std::size_t count) {
    text(key).u32(gguf_types::t_array).u32(element).u64(count);
  }

  std::string data_;
};

}  // namespace zeroth_test
