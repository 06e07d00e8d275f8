// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/io/gguf/gguf_part.hpp>
#include <zeroth_model/io/gguf/gguf_split.hpp>
#include <zeroth_model/io/gguf/gguf_value.hpp>
#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A model in GGUF, versions 2 and 3, little-endian, memory-mapped: one file, or all files of a model that was split by
/// llama.cpp's gguf-split.
///
/// The constructor checks every header: afterwards every string lies inside its file and every tensor has all its
/// bytes. Strings and tensors are views of the mapping and live as long as this object, or the one it was moved to.
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFile {
 public:
  /// Opens and checks `path` and, if it is the first part of a split model, the other parts next to it, whose names
  /// differ only in their numbers: NAME-00001-of-00003.gguf, NAME-00002-of-00003.gguf, ...
  ///
  /// Throws InvalidFile naming the file, the key or tensor, and what is wrong with it: also if `path` is a later part
  /// (the message names the first), a part is missing or disagrees with the first about the split, or a tensor is in
  /// two parts.
  explicit GgufFile(std::string path) : GgufFile(MappedFile(std::move(path))) {}

  /// Checks an open file. Throws as the other constructor does.
  explicit GgufFile(MappedFile file) : parts_(detail::open_gguf_parts(std::move(file))) {
    for (const detail::GgufPart& part : parts_) {
      for (const GgufTensor& tensor : part.tensors()) {
        const auto [found, added] = tensor_index_.emplace(tensor.name, tensors_.size());
        if (!added) {
          throw InvalidFile(part.path() + ": tensor '" + detail::printable(tensor.name) +
                            "': expected once in all parts, found in " + parts_[tensors_[found->second].part].path() +
                            " too");
        }
        tensors_.push_back(tensor);
      }
    }
  }

  /// The path as passed in.
  const std::string& path() const noexcept { return first().path(); }
  std::uint32_t version() const noexcept { return first().version(); }

  /// The number of files of the model.
  std::size_t parts() const noexcept { return parts_.size(); }

  /// All metadata in the order of the file. A split model's metadata is in its first part.
  std::span<const GgufEntry> metadata() const noexcept { return first().metadata().entries(); }

  /// All tensors in the order of the file, part after part.
  std::span<const GgufTensor> tensors() const noexcept { return tensors_; }

  /// The value of `key`, or nothing if the file has no such key.
  ///
  /// Any integer type is read as any other that can hold the value, and each floating-point type as the other. Throws
  /// InvalidFile if the value's kind differs or it is out of T's range.
  template <GgufValue T>
  std::optional<T> find(std::string_view key) const {
    return first().metadata().find<T>(key);
  }

  /// The value of `key`. Throws InvalidFile if the key is missing, and as find() does.
  template <GgufValue T>
  T get(std::string_view key) const {
    return first().metadata().get<T>(key);
  }

  /// The elements of the array `key`, or nothing if the file has no such key. Throws as find() does.
  template <GgufValue T>
  std::optional<std::vector<T>> find_array(std::string_view key) const {
    return first().metadata().find_array<T>(key);
  }

  /// The elements of the array `key`. Throws InvalidFile if the key is missing, and as find() does.
  template <GgufValue T>
  std::vector<T> get_array(std::string_view key) const {
    return first().metadata().get_array<T>(key);
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

  /// The encoded values of a tensor of this model.
  std::span<const std::byte> bytes(const GgufTensor& tensor) const noexcept {
    return parts_[tensor.part].bytes(tensor);
  }

  /// All bytes of the model's first file.
  std::span<const std::byte> file_bytes() const noexcept { return first().file_bytes(); }

  /// Decodes a tensor of this model into `values`, then lets the system drop its pages.
  ///
  /// Throws InvalidArgument if values.size() is not tensor.values.
  void read(const GgufTensor& tensor, std::span<float> values) const {
    dequantize(tensor.type, bytes(tensor), values);
    release(tensor);
  }

  /// Lets the system drop the pages of a tensor of this model. See MappedFile::release().
  void release(const GgufTensor& tensor) const noexcept { parts_[tensor.part].release(tensor); }

  /// Keeps metadata and tensor names in memory, so that they no longer depend on the files. Views stay valid.
  void keep_header() {
    for (detail::GgufPart& part : parts_) part.keep_header();
  }

  /// Throws InvalidFile if one of the files was written to since it was opened.
  void require_unchanged() const {
    for (const detail::GgufPart& part : parts_) part.require_unchanged();
  }

 private:
  const detail::GgufPart& first() const noexcept { return parts_.front(); }

  std::vector<detail::GgufPart> parts_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace zeroth::ZEROTH_ISA::model
