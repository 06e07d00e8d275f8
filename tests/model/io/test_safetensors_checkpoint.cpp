// SPDX-License-Identifier: MIT
#include "zeroth_model/io/safetensors/safetensors_checkpoint.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "paths.hpp"
#include "temporary_directory.hpp"
#include "tensors.hpp"
#include "zeroth_model/io/safetensors/safetensors_writer.hpp"

namespace {

using zeroth::InvalidFile;
using zeroth::model::SafetensorsCheckpoint;
using zeroth::model::SafetensorsWriter;
using zeroth_test::contains_text;
using zeroth_test::TemporaryDirectory;

using Names = std::vector<std::string>;

std::filesystem::path golden(const std::string& name) {
  return zeroth_test::tests_directory() / "golden" / "safetensors" / name;
}

/// A checkpoint assembled by hand. Tensor "x" holds one value.
class Folder {
 public:
  const std::filesystem::path& path() const { return folder_.path(); }

  void part(const std::string& name, const Names& tensors, float first_value = 1) const {
    SafetensorsWriter writer((folder_ / name).string());
    for (const std::string& tensor : tensors) writer.add_tensor(tensor, std::vector<std::uint64_t>{1});
    for (const std::string& tensor : tensors) {
      writer.write(tensor, std::span(&first_value, 1));
      ++first_value;
    }
    writer.commit();
  }

  void index(const std::map<std::string, std::string>& map) const {
    text("model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
  }

  void text(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  SafetensorsCheckpoint open() const { return SafetensorsCheckpoint(folder_.path()); }

 private:
  TemporaryDirectory folder_;
};

float value(const SafetensorsCheckpoint& checkpoint, const std::string& name) {
  float value = 0;
  checkpoint.read(checkpoint.tensor(name), std::span(&value, 1));
  return value;
}

}  // namespace

TEST_CASE("SafetensorsCheckpoint reads what Python's safetensors wrote, in one file and in parts") {
  std::ifstream stream(golden("values.json"));
  const auto expected = nlohmann::json::parse(stream)["tensors"];
  const std::map<std::string, std::string> dtypes = {{"torch.float32", "F32"},
                                                     {"torch.float16", "F16"},
                                                     {"torch.bfloat16", "BF16"},
                                                     {"torch.float64", "F64"},
                                                     {"torch.int64", "I64"}};
  for (const auto& [name, parts] : {std::pair{"single", std::size_t{1}}, std::pair{"parts", std::size_t{3}}}) {
    INFO(name);
    SafetensorsCheckpoint first(golden(name));
    const SafetensorsCheckpoint checkpoint(std::move(first));
    CHECK(checkpoint.path() == golden(name).string());
    CHECK(checkpoint.parts().size() == parts);
    REQUIRE(checkpoint.tensors().size() == expected.size());
    std::set<std::size_t> used;
    std::size_t decoded = 0;
    for (const auto& [tensor_name, description] : expected.items()) {
      INFO(tensor_name);
      const auto* const tensor = checkpoint.find_tensor(tensor_name);
      REQUIRE(tensor != nullptr);
      CHECK(&checkpoint.tensor(tensor_name) == tensor);
      used.insert(tensor->part);
      CHECK(tensor->name == tensor_name);
      CHECK(tensor->dtype == dtypes.at(description["dtype"]));
      CHECK(tensor->shape == description["shape"].get<std::vector<std::uint64_t>>());
      std::vector<float> values(tensor->values);
      if (tensor->dtype == "F64" || tensor->dtype == "I64") {
        CHECK_THROWS_WITH(checkpoint.read(*tensor, values),
                          contains_text("expected F32, F16 or BF16, found " + tensor->dtype));
        CHECK(checkpoint.bytes(*tensor).size() == 8 * tensor->values);
        continue;
      }
      checkpoint.read(*tensor, values);
      std::string bits;
      for (const std::uint32_t word : zeroth_test::bits(values)) {
        char text[10];
        std::snprintf(text, sizeof text, "%s%08x", bits.empty() ? "" : " ", word);
        bits += text;
      }
      CHECK(bits == description["values"].get<std::string>());
      checkpoint.release(*tensor);
      ++decoded;
    }
    CHECK(decoded == 8);
    CHECK(used.size() == parts);
    CHECK(checkpoint.find_tensor("absent") == nullptr);
    CHECK_THROWS_WITH(checkpoint.tensor("absent"), golden(name).string() + ": tensor 'absent' is missing");
  }
}

TEST_CASE("SafetensorsCheckpoint takes a whole file before parts") {
  const Folder folder;
  folder.part("model-00001-of-00001.safetensors", {"a"}, 1);
  folder.index({{"a", "model-00001-of-00001.safetensors"}});
  CHECK(value(folder.open(), "a") == 1);
  folder.part("model.safetensors", {"a"}, 2);
  CHECK(value(folder.open(), "a") == 2);
}

TEST_CASE("SafetensorsCheckpoint follows links, as folders of a download cache have them") {
  const Folder folder;
  std::filesystem::create_directory(folder.path() / "blobs");
  folder.part("blobs/1f", {"a"}, 3);
  std::filesystem::create_symlink("blobs/1f", folder.path() / "model-1.safetensors");
  folder.index({{"a", "model-1.safetensors"}});
  CHECK(value(folder.open(), "a") == 3);
}

TEST_CASE("SafetensorsCheckpoint leaves out tensors that the index does not name") {
  const Folder folder;
  folder.part("one", {"a", "extra", "b"}, 1);
  folder.part("two", {"c"}, 4);
  folder.part("not-named", {"a"}, 9);
  folder.index({{"b", "one"}, {"c", "two"}, {"a", "one"}});
  const SafetensorsCheckpoint checkpoint = folder.open();
  Names names;
  for (const auto& tensor : checkpoint.tensors()) names.push_back(tensor.name);
  CHECK(names == Names{"a", "b", "c"});
  CHECK(checkpoint.find_tensor("extra") == nullptr);
  CHECK(value(checkpoint, "b") == 3);
  CHECK(value(checkpoint, "c") == 4);
}

TEST_CASE("SafetensorsCheckpoint holds the index to the parts") {
  const Folder folder;
  const std::string index = (folder.path() / "model.safetensors.index.json").string();
  folder.part("one", {"a", "b"});
  folder.part("two", {"c"});
  CHECK_NOTHROW((folder.index({{"a", "one"}, {"c", "two"}}), folder.open()));

  folder.index({{"a", "one"}, {"b", "two"}, {"c", "two"}});
  CHECK_THROWS_WITH(folder.open(),
                    index + ": key 'weight_map.b': expected the name of the part that has the tensor, found \"two\"");
  folder.index({{"a", "one"}, {"c", "three"}});
  CHECK_THROWS_WITH(folder.open(), contains_text("three: cannot open: No such file"));
  folder.part("two", {"c", "b"});
  folder.index({{"a", "one"}, {"c", "two"}});
  CHECK_THROWS_WITH(folder.open(),
                    contains_text("two: tensor 'b': expected in one part, found also in '") && contains_text("one'"));
  folder.text("two", "12345678");
  CHECK_THROWS_WITH(folder.open(), contains_text("two: header: "));
}

TEST_CASE("SafetensorsCheckpoint takes parts from the folder itself only") {
  const Folder folder;
  std::filesystem::create_directory(folder.path() / "sub");
  folder.part("sub/one", {"a"});
  folder.part("one", {"a"});
  for (const std::string& name : Names{"sub/one", "../one", "..", ".", "", "./one", (folder.path() / "one").string(),
                                       "sub\\one", std::string("one\0", 4)}) {
    INFO(name);
    folder.index({{"a", name}});
    CHECK_THROWS_WITH(folder.open(), contains_text("key 'weight_map.a': expected the name of a file in the same "
                                                   "folder, found \""));
  }
  folder.index({{"a", "sub"}});
  CHECK_THROWS_WITH(folder.open(), contains_text("sub: expected a regular file"));
}

TEST_CASE("SafetensorsCheckpoint rejects a file that is not an index") {
  const Folder folder;
  const auto open = [&](const std::string& text) {
    folder.text("model.safetensors.index.json", text);
    folder.open();
  };
  folder.part("one", {"a"});
  CHECK_NOTHROW(open(R"({"metadata": {"total_size": "wrong"}, "weight_map": {"a": "one"}})"));
  CHECK_THROWS_WITH(open("{}"), contains_text("index.json: key 'weight_map': expected a value, found none"));
  CHECK_THROWS_WITH(open("[]"), contains_text("index.json: expected an object, found []"));
  CHECK_THROWS_WITH(open(R"({"weight_map": []})"), contains_text("'weight_map': expected an object, found []"));
  CHECK_THROWS_WITH(open(R"({"weight_map": {}})"), contains_text("'weight_map': expected at least one tensor"));
  CHECK_THROWS_WITH(open(R"({"weight_map": {"a": 1}})"),
                    contains_text("key 'weight_map.a': expected a string, found 1"));
  CHECK_THROWS_WITH(open(R"({"weight_map": {"a": "one", "a": "one"}})"), contains_text("key 'a': expected once"));
  CHECK_THROWS_AS(open("{\"weight_map\""), InvalidFile);
}

TEST_CASE("SafetensorsCheckpoint says what a folder without safetensors lacks") {
  const Folder folder;
  const std::string path = folder.path().string();
  CHECK_THROWS_WITH(SafetensorsCheckpoint(folder.path() / "absent"),
                    path + "/absent: expected a folder with model.safetensors, found none");
  folder.text("file", "");
  CHECK_THROWS_WITH(SafetensorsCheckpoint(folder.path() / "file"), contains_text("found another kind of file"));
  CHECK_THROWS_WITH(folder.open(),
                    path + ": expected model.safetensors or model.safetensors.index.json, found neither");
  for (const std::string name : {"pytorch_model.bin.index.json", "pytorch_model.bin"}) {
    folder.text(name, "");
    CHECK_THROWS_WITH(folder.open(), contains_text("found only " + name + ", which is not read; convert it") &&
                                         contains_text(".save_pretrained(OUT)"));
  }
  folder.part("model.safetensors", {"a"});
  CHECK_NOTHROW(folder.open());
}
