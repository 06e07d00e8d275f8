// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/model/format/dequantize.hpp>
#include <zeroth/model/format/gguf_value.hpp>

namespace zeroth_fuzz {

/// The bytes of a GGUF file, version 3, laid end to end.
class GgufBytes {
 public:
  GgufBytes(std::uint64_t tensors, std::uint64_t entries) : data_("GGUF") {
    put(std::uint32_t{3});
    put(tensors);
    put(entries);
  }

  template <class T>
  GgufBytes& scalar(std::string_view key, zeroth::model::GgufType type, T value) {
    begin(key, type);
    return put(value);
  }
  GgufBytes& string(std::string_view key, std::string_view value) {
    begin(key, zeroth::model::GgufType::string);
    return text(value);
  }
  GgufBytes& strings(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, zeroth::model::GgufType::string, values.size());
    for (const std::string& value : values) text(value);
    return *this;
  }
  GgufBytes& integers(std::string_view key, const std::vector<std::int32_t>& values) {
    begin_array(key, zeroth::model::GgufType::int32, values.size());
    for (const std::int32_t value : values) put(value);
    return *this;
  }
  GgufBytes& tensor(std::string_view name, std::initializer_list<std::uint64_t> dims, zeroth::model::TensorType type,
                    std::uint64_t offset) {
    text(name);
    put(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) put(dim);
    put(type);
    return put(offset);
  }
  void pad(std::size_t alignment) { data_.resize((data_.size() + alignment - 1) / alignment * alignment); }

  const std::string& data() const { return data_; }

 private:
  template <class T>
  GgufBytes& put(T value) {
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufBytes& text(std::string_view value) {
    put(std::uint64_t{value.size()});
    data_ += value;
    return *this;
  }
  void begin(std::string_view key, zeroth::model::GgufType type) {
    text(key);
    put(type);
  }
  void begin_array(std::string_view key, zeroth::model::GgufType element, std::size_t count) {
    begin(key, zeroth::model::GgufType::array);
    put(element);
    put(std::uint64_t{count});
  }

  std::string data_;
};

}  // namespace zeroth_fuzz
