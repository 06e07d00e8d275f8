// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/safetensors/safetensors_writer.hpp>
#include <zeroth_model/text/printable.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Writes the tensors of a checkpoint into a folder, in as many safetensors files as their size requires.
///
/// One file is called `model.safetensors`; several are `model-00001-of-0000N.safetensors` and so on, with a
/// `model.safetensors.index.json` that says which file holds which tensor. Names, index and the assignment of tensors
/// to files are those of Hugging Face transformers: a new file begins where a tensor would take the current one past
/// the limit, a tensor is never split, and a tensor larger than the limit has a file of its own.
///
/// Call in this order: add_tensor() for every tensor; then write() for the values of each in the order of add_tensor();
/// then commit(). A failed write throws InvalidFile, a call out of order InvalidArgument.
class SafetensorsFolderWriter {
 public:
  /// 5 GB.
  static constexpr std::uint64_t default_part_bytes = 5'000'000'000;

  /// `directory` must live as long as this object; nothing is visible before its commit(). A file holds at most
  /// `part_bytes` bytes of tensors.
  explicit SafetensorsFolderWriter(const AtomicDirectory& directory, std::uint64_t part_bytes = default_part_bytes)
      : directory_(directory), part_bytes_(part_bytes) {}

  /// Announces a tensor of F32, F16 or BF16. See SafetensorsWriter::add_tensor().
  void add_tensor(std::string_view name, std::span<const std::uint64_t> shape, TensorType type = TensorType::f32) {
    if (!parts_.empty()) fail(name, "expected all tensors before the first values");
    if (!names_.emplace(name).second) fail(name, "expected once, found twice");
    try {
      tensors_.push_back({SafetensorsEntry(name, shape, type), 0});
    } catch (const InvalidArgument& error) {
      names_.erase(std::string(name));
      fail(name, error.what());
    }
  }

  /// Writes the next values of tensor `name`. See SafetensorsWriter::write().
  void write(std::string_view name, std::span<const float> values) {
    if (parts_.empty()) plan();
    if (current_ == tensors_.size()) fail(name, "expected no more values");
    const Tensor& tensor = tensors_[current_];
    Part& part = parts_[tensor.part];
    if (!part.writer) open(part);
    part.writer->write(name, values);
    written_ += values.size();
    if (written_ < tensor.entry.values) return;
    if (part.tensors.back() == current_) close(part);
    ++current_;
    written_ = 0;
  }

  /// Completes the files. Throws InvalidArgument if values are missing. The caller must commit the directory.
  void commit() {
    if (parts_.empty()) plan();
    if (current_ < tensors_.size()) {
      const SafetensorsEntry& tensor = tensors_[current_].entry;
      fail(tensor.name, "expected " + std::to_string(tensor.values) + " values, found " + std::to_string(written_));
    }
    if (tensors_.empty()) {
      open(parts_[0]);
      close(parts_[0]);
    }
    if (parts_.size() > 1) write_index();
  }

 private:
  struct Tensor {
    SafetensorsEntry entry;
    std::size_t part;
  };

  struct Part {
    std::vector<std::size_t> tensors;
    std::string name;
    std::unique_ptr<SafetensorsWriter> writer;  // present while its tensors are written
  };

  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    throw InvalidArgument(directory_.path() + ": tensor '" + detail::printable(name) + "': " + what);
  }

  /// Assigns tensors to parts. A large tensor's part precedes the part that is open at that time, as in transformers;
  /// so at most two files are open at once.
  void plan() {
    std::vector<std::size_t> open_part;
    std::uint64_t open_bytes = 0;
    const auto add_part = [&](std::vector<std::size_t> tensors) {
      parts_.push_back({std::move(tensors), {}, nullptr});
    };
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const std::uint64_t bytes = tensors_[i].entry.bytes;
      if (bytes > part_bytes_) {
        add_part({i});
        continue;
      }
      if (open_bytes + bytes > part_bytes_) {
        add_part(std::exchange(open_part, {}));
        open_bytes = 0;
      }
      open_part.push_back(i);
      open_bytes += bytes;
    }
    if (!open_part.empty() || parts_.empty()) add_part(std::move(open_part));
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      parts_[p].name = part_name(p);
      for (const std::size_t i : parts_[p].tensors) tensors_[i].part = p;
    }
  }

  std::string part_name(std::size_t part) const {
    if (parts_.size() == 1) return "model.safetensors";
    const auto five_digits = [](std::size_t number) {
      const std::string digits = std::to_string(number);
      return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
    };
    return "model-" + five_digits(part + 1) + "-of-" + five_digits(parts_.size()) + ".safetensors";
  }

  void open(Part& part) {
    auto writer = std::make_unique<SafetensorsWriter>(directory_.file(part.name));
    for (const std::size_t i : part.tensors) {
      const SafetensorsEntry& tensor = tensors_[i].entry;
      writer->add_tensor(tensor.name, tensor.shape, tensor.type);
    }
    part.writer = std::move(writer);
  }

  static void close(Part& part) {
    part.writer->commit();
    part.writer.reset();
  }

  void write_index() const {
    std::uint64_t values = 0;
    std::uint64_t bytes = 0;
    nlohmann::json map = nlohmann::json::object();
    for (const Tensor& tensor : tensors_) {
      values += tensor.entry.values;
      bytes += tensor.entry.bytes;
      map[tensor.entry.name] = parts_[tensor.part].name;
    }
    const nlohmann::json index = {{"metadata", {{"total_parameters", values}, {"total_size", bytes}}},
                                  {"weight_map", std::move(map)}};
    AtomicFile file(directory_.file("model.safetensors.index.json"));
    file.write(index.dump(2) + "\n");
    file.commit();
  }

  const AtomicDirectory& directory_;
  std::uint64_t part_bytes_;
  std::vector<Tensor> tensors_;
  std::unordered_set<std::string> names_;
  std::vector<Part> parts_;    // empty before the first values
  std::size_t current_ = 0;    // tensor whose values come next
  std::uint64_t written_ = 0;  // number of its values written so far
};

}  // namespace zeroth::ZEROTH_ISA::model
