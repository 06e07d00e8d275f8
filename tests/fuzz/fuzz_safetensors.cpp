// SPDX-License-Identifier: MIT
// Safetensors files: header and values.

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <zeroth_model/io/mapped_file.hpp>
#include <zeroth_model/io/safetensors/safetensors.hpp>

#include "fuzz_target.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  using namespace zeroth::model;
  return reads_or_refuses([&] {
    const SafetensorsFile file(MappedFile::in_memory("input.safetensors", input));
    std::size_t bytes = 0;
    for (const SafetensorsTensor& tensor : file.tensors()) {
      require(file.find_tensor(tensor.name) == &tensor, "a tensor is not found by its name");
      require(file.bytes(tensor).size() == tensor.bytes, "a tensor has other bytes than it says");
      bytes += tensor.bytes;
      reads_or_refuses([&] {
        std::vector<float> values(tensor.values);
        file.read(tensor, values);
      });
    }
    std::uint64_t header = 0;
    std::memcpy(&header, input.data(), sizeof header);
    require(sizeof header + header + bytes == input.size(), "the tensors do not cover the data");
  });
}

std::vector<std::string> seeds() {
  const auto file = [](std::string header, std::size_t data) {
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = header.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + std::string(data, '\x3c');
  };
  return {
      file(R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24),
      file(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"BF16","shape":[3],)"
           R"("data_offsets":[2,8]},"c":{"dtype":"I64","shape":[],"data_offsets":[8,16]}})",
           16),
      file(R"({"e":{"dtype":"F8_E4M3","shape":[0,7],"data_offsets":[0,0]}})", 0),
      file("{}", 0),
  };
}

}  // namespace zeroth_fuzz
