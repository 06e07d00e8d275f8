// SPDX-License-Identifier: MIT
// The index of a checkpoint in parts, next to two parts that stay the same.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <zeroth_model/io/safetensors/safetensors_checkpoint.hpp>
#include <zeroth_model/io/safetensors/safetensors_writer.hpp>

#include "fuzz_target.hpp"
#include "temporary_directory.hpp"

namespace zeroth_fuzz {
namespace {

using namespace zeroth::model;

/// A folder whose parts "one" and "two" have the tensors "a" and "b", and "c".
class Folder {
 public:
  Folder() {
    write_part("one", {"a", "b"});
    write_part("two", {"c"});
  }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  void write_part(const std::string& name, const std::vector<std::string>& tensors) const {
    const std::vector<float> values(4);
    SafetensorsWriter writer((folder_ / name).string());
    for (const std::string& tensor : tensors) writer.add_tensor(tensor, std::vector<std::uint64_t>{2, 2});
    for (const std::string& tensor : tensors) writer.write(tensor, values);
    writer.commit();
  }

  zeroth_test::TemporaryDirectory folder_;
};

}  // namespace

bool run(Input input) {
  static const Folder folder;
  std::ofstream(folder.path() / "model.safetensors.index.json", std::ios::binary) << text_of(input);
  return reads_or_refuses([&] {
    const SafetensorsCheckpoint checkpoint(folder.path());
    require(!checkpoint.tensors().empty(), "a checkpoint has no tensor");
    for (const SafetensorsTensor& tensor : checkpoint.tensors()) {
      require(checkpoint.find_tensor(tensor.name) == &tensor, "a tensor is not found by its name");
      std::vector<float> values(tensor.values);
      checkpoint.read(tensor, values);
    }
  });
}

std::vector<std::string> seeds() {
  return {
      R"({"metadata": {"total_size": 48}, "weight_map": {"a": "one", "b": "one", "c": "two"}})",
      R"({"weight_map": {"a": "one", "c": "../two"}})",
      R"({"weight_map": {"a": "./one", "d": "two", "b": 1}})",
  };
}

}  // namespace zeroth_fuzz
