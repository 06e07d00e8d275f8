// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/safetensors/safetensors.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The weights of a Hugging Face folder: the file `model.safetensors`, or the parts that `model.safetensors.index.json`
/// names, memory-mapped and read as one file.
///
/// If both exist, `model.safetensors` is used, as in Hugging Face transformers. The constructor checks the headers of
/// all parts, and the index against them. Only `weight_map` of the index is read: `metadata.total_size` is informative,
/// and wrong in folders that transformers loads. Tensors live as long as this object, or the one it was moved to.
class SafetensorsCheckpoint {
 public:
  /// Opens and checks `folder`.
  ///
  /// Throws InvalidFile, naming the file, tensor or key and what is wrong with it: also if a part's name is not a plain
  /// file name, a part lacks a tensor that the index assigns to it or holds one that another part also holds, or the
  /// folder has only PyTorch's own format. Tensors that the index does not name are ignored.
  explicit SafetensorsCheckpoint(const std::filesystem::path& folder) : path_(folder.string()) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored)) {
      throw InvalidFile(path_ + ": expected a folder with " + file_name + ", found " +
                        (fs::exists(folder, ignored) ? "another kind of file" : "none"));
    }
    if (fs::exists(folder / file_name, ignored)) {
      parts_.emplace_back((folder / file_name).string());
      tensors_.assign(parts_[0].tensors().begin(), parts_[0].tensors().end());
    } else if (fs::exists(folder / index_name, ignored)) {
      open_parts(folder);
    } else {
      fail_without_weights(folder);
    }
    index_.reserve(tensors_.size());
    for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  }

  /// The folder as passed in, for messages.
  const std::string& path() const noexcept { return path_; }

  /// The files, in order of their names.
  std::span<const SafetensorsFile> parts() const noexcept { return parts_; }

  /// All tensors, part after part in the order of their bytes.
  std::span<const SafetensorsTensor> tensors() const noexcept { return tensors_; }

  /// The tensor called `name`, or null.
  const SafetensorsTensor* find_tensor(std::string_view name) const noexcept {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
  }

  /// The tensor called `name`. Throws InvalidFile if there is none.
  const SafetensorsTensor& tensor(std::string_view name) const {
    if (const SafetensorsTensor* const found = find_tensor(name)) return *found;
    throw InvalidFile(path_ + ": tensor '" + detail::printable(name) + "' is missing");
  }

  /// The encoded values of a tensor of this checkpoint. Valid as long as this object lives.
  std::span<const std::byte> bytes(const SafetensorsTensor& tensor) const noexcept {
    return parts_[tensor.part].bytes(tensor);
  }

  /// Decodes a tensor of this checkpoint into `values`, then lets the system drop its pages.
  ///
  /// Throws InvalidFile if its type is not F32, F16 or BF16, InvalidArgument if values.size() is not tensor.values.
  void read(const SafetensorsTensor& tensor, std::span<float> values) const {
    parts_[tensor.part].read(tensor, values);
  }

  /// Lets the system drop the pages of a tensor of this checkpoint. See MappedFile::release().
  void release(const SafetensorsTensor& tensor) const noexcept { parts_[tensor.part].release(tensor); }

  /// Throws InvalidFile if one of the files was written to since it was opened.
  void require_unchanged() const {
    for (const SafetensorsFile& part : parts_) part.require_unchanged();
  }

 private:
  static constexpr const char* file_name = "model.safetensors";
  static constexpr const char* index_name = "model.safetensors.index.json";

  void open_parts(const std::filesystem::path& folder) {
    const JsonValue index = JsonValue::load((folder / index_name).string(), {.bytes = std::size_t{64} << 20});
    const JsonValue map = index.get("weight_map");
    const std::vector<JsonMember> entries = map.members();
    std::map<std::string, std::size_t> numbers;  // of the parts, by name
    for (const JsonMember& entry : entries) {
      auto name = entry.value.as<std::string>();
      if (!is_plain_file_name(name)) throw entry.value.mismatch("the name of a file in the same folder");
      numbers.emplace(std::move(name), 0);
    }
    if (numbers.empty()) throw InvalidFile(map.place() + ": expected at least one tensor, found none");
    parts_.reserve(numbers.size());
    for (auto& [name, number] : numbers) {
      number = parts_.size();
      parts_.emplace_back((folder / name).string());
    }
    for (const JsonMember& entry : entries) {
      const SafetensorsFile& part = parts_[numbers.at(entry.value.as<std::string>())];
      if (part.find_tensor(entry.key) == nullptr)
        throw entry.value.mismatch("the name of the part that has the tensor");
    }
    std::unordered_map<std::string_view, std::size_t> part_of;  // number of the part of each tensor
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      for (const SafetensorsTensor& tensor : parts_[p].tensors()) {
        const auto [other, first] = part_of.emplace(tensor.name, p);
        if (!first) {
          throw InvalidFile(parts_[p].path() + ": tensor '" + detail::printable(tensor.name) +
                            "': expected in one part, found also in '" + parts_[other->second].path() + "'");
        }
        if (!map.json().contains(tensor.name)) continue;
        tensors_.push_back(tensor);
        tensors_.back().part = p;
      }
    }
  }

  /// Whether `name` can only be a file of the folder itself and is printable in a message.
  static bool is_plain_file_name(std::string_view name) {
    auto const has_no_place = [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; };
    return !name.empty() && name != "." && name != ".." && std::none_of(name.begin(), name.end(), has_no_place);
  }

  [[noreturn]] void fail_without_weights(const std::filesystem::path& folder) const {
    std::error_code ignored;
    for (const char* const name : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
      if (!std::filesystem::exists(folder / name, ignored)) continue;
      throw InvalidFile(path_ + ": expected " + file_name + ", found only " + name +
                        ", which is not read; convert it in Python: "
                        "AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(OUT)");
    }
    throw InvalidFile(path_ + ": expected " + file_name + " or " + index_name + ", found neither");
  }

  std::string path_;
  std::vector<SafetensorsFile> parts_;
  std::vector<SafetensorsTensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;  // by name, which lies in tensors_
};

}  // namespace zeroth::ZEROTH_ISA::model
