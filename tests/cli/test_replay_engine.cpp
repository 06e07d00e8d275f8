// SPDX-License-Identifier: MIT
// Journals of other programs, and the program's journals in other programs: replayed by the tensors' names, to the bit.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth/replay_journal.hpp>
#include <zeroth/zeroth.hpp>
#include <zeroth_model/encoding/dequantize.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/hugging_face/load_hugging_face.hpp>
#include <zeroth_model/io/safetensors/safetensors_checkpoint.hpp>

#include "../../cli/run/language_model.hpp"
#include "../../cli/run/save.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"
#include "run_fixture.hpp"

using namespace zeroth_test;
using zeroth::DataType;
using zeroth::Role;
namespace fs = std::filesystem;
namespace model = zeroth::model;

namespace {

/// The values of a model's tensors, as bits, by the names of its files.
using Values = std::map<std::string, std::vector<std::uint32_t>>;

std::vector<std::uint32_t> bits_of_all(std::span<float const> values) {
  std::vector<std::uint32_t> bits;
  for (float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

/// A tensor of a file, as f32.
struct FileTensor {
  std::string name;
  zeroth::Shape shape;
  std::vector<float> values;
};

/// The tensors of a GGUF file or a folder with safetensors, in the file's order.
std::vector<FileTensor> tensors_of(std::string const& path) {
  std::vector<FileTensor> tensors;
  auto const add = [&](std::string name, zeroth::Shape shape) -> std::vector<float>& {
    return tensors.emplace_back(FileTensor{std::move(name), shape, std::vector<float>(shape.size())}).values;
  };
  if (fs::is_directory(path)) {
    model::SafetensorsCheckpoint const folder{fs::path(path)};
    for (model::SafetensorsTensor const& tensor : folder.tensors()) {
      zeroth::Shape const shape{tensor.shape.size() == 2 ? tensor.shape[0] : 1, tensor.shape.back()};
      model::dequantize(model::detail::weights_type(folder, tensor), folder.bytes(tensor), add(tensor.name, shape));
    }
    return tensors;
  }
  model::GgufFile const file(path);
  for (model::GgufTensor const& tensor : file.tensors()) {
    zeroth::Shape const shape{tensor.dims.size() == 2 ? tensor.dims[1] : 1, tensor.dims[0]};
    file.read(tensor, add(std::string(tensor.name), shape));
  }
  return tensors;
}

Values values_of(std::string const& path) {
  Values values;
  for (FileTensor const& tensor : tensors_of(path)) values[tensor.name] = bits_of_all(tensor.values);
  return values;
}

/// An engine that knows nothing of this library's models: it holds the tensors of a file, with their names, in an order
/// of its own.
struct Engine {
  std::vector<std::vector<std::byte>> memory;
  zeroth::ParameterSet parameters;

  using Chosen = std::function<bool(std::string const&)>;
  static bool all(std::string const& /*name*/) { return true; }

  /// @param matrices, vectors: their types
  Engine(std::string const& path, DataType matrices, DataType vectors = DataType::f32, Chosen const& is_tuned = all) {
    std::vector<FileTensor> tensors = tensors_of(path);
    std::reverse(tensors.begin(), tensors.end());
    for (FileTensor const& tensor : tensors) {
      bool const is_embedding = tensor.name.find("embd") != std::string::npos;
      Role const role = tensor.shape.rows == 1 ? Role::vector : is_embedding ? Role::embedding : Role::matrix;
      DataType const dtype = role == Role::vector ? vectors : matrices;
      memory.emplace_back(tensor.shape.size() * size_of(dtype));
      zeroth::narrow_values(dtype, tensor.values, memory.back().data());
      if (is_tuned(tensor.name)) parameters.add(tensor.name, role, tensor.shape, dtype, memory.back().data());
    }
  }

  [[nodiscard]] Values values() const {
    Values values;
    for (zeroth::Parameter const& p : parameters) {
      std::vector<float> floats(p.size());
      zeroth::widen_values(p.dtype, p.data, floats);
      values[p.name] = bits_of_all(floats);
    }
    return values;
  }

  /// Takes five steps with losses that are made up, and records them.
  template <class M = zeroth::SmallestMagnitude>
  void tune(std::string const& journal, M mask = {}, std::vector<zeroth::JournalField> notes = {}) {
    Values const before = values();
    zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Rademacher{}, mask, zeroth::CpuBackend{},
                                           zeroth::Momentum{0.5, 0.01},
                                           {.learning_rate = 1e-2, .seed = 4, .restore = zeroth::Restore::exact});
    zeroth::JournalFile file(journal, optimizer, {.notes = std::move(notes)});
    while (optimizer.steps() < 5)
      file.append(optimizer.step(
          [](zeroth::Evaluation const& at) { return 2.0 + at.point.sign * (0.5 - static_cast<double>(at.step % 3)); }));
    CHECK(values() != before);
  }
};

/// Paths of a journal and of what is made of it.
struct Place {
  TemporaryDirectory directory;
  std::string journal = (directory.path() / "run.journal").string();
  std::string output = (directory.path() / "replayed").string();

  [[nodiscard]] Words replay(std::string const& base, Words const& more = {}) const {
    Words words{"replay", "--model", base, "--journal", journal, "--output", output, "--threads", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// What the program makes of the journal.
  [[nodiscard]] Values replayed(std::string const& base, Words const& more = {}) const {
    Outcome const outcome = run_program(replay(base, more));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    std::string const gguf = output + "/model.gguf";
    return values_of(fs::exists(gguf) ? gguf : output);
  }

  /// The same model as a folder with safetensors.
  [[nodiscard]] std::string exported(std::string const& gguf) const {
    std::string folder = (directory.path() / "folder").string();
    REQUIRE(run_program({"export", "--model", gguf, "--output", folder}).exit_code == 0);
    return folder;
  }
};

/// The tuned values, and those of the other tensors as they are in the base.
Values over(Values base, Values const& tuned) {
  for (auto const& [name, values] : tuned) base[name] = values;
  return base;
}

std::string const base = golden("gqa_odd_tied.gguf");

}  // namespace

TEST_CASE("replay makes what an engine's memory holds: a GGUF file in the engine's order") {
  for (DataType const matrices : {DataType::f32, DataType::f16, DataType::bf16}) {
    Place const place;
    Engine engine(base, matrices);
    engine.tune(place.journal);
    CHECK(place.replayed(base, {"--save", "gguf"}) == engine.values());
  }
}

TEST_CASE("replay makes what an engine's memory holds: some of the tensors, of any types") {
  for (DataType const matrices : {DataType::f32, DataType::bf16}) {
    Place const place;
    auto const is_attention = [](std::string const& name) { return name.find("attn") != std::string::npos; };
    Engine engine(base, matrices, DataType::f16, is_attention);
    CHECK(engine.parameters.size() > 0);
    CHECK(engine.parameters.size() < engine.memory.size());
    engine.tune(place.journal);
    CHECK(place.replayed(base, {"--save", "gguf"}) == over(values_of(base), engine.values()));
  }
}

TEST_CASE("replay makes what an engine's memory holds: a folder, with the names of its tensors") {
  for (DataType const type : {DataType::f32, DataType::bf16}) {
    Place const place;
    std::string const folder = place.exported(base);
    Engine engine(folder, type, type);
    engine.tune(place.journal, zeroth::SmallestMagnitude{0.5, zeroth::Scope::layer, zeroth::Coverage::all, 2});
    CHECK(engine.values().contains("model.layers.0.self_attn.q_proj.weight"));
    CHECK(place.replayed(folder) == engine.values());
  }
}

TEST_CASE("a journal of finetune makes the same model in an engine's memory") {
  for (Words const& kind : {Words{}, Words{"--dtype", "bf16", "--rounding", "stochastic"}, Words{"--update", "adam"}}) {
    Fixture const fixture;
    Words words = fixture.finetune({"--learning-rate", "1e-3", "--save", "gguf"});
    words.insert(words.end(), kind.begin(), kind.end());
    REQUIRE(run_program(words).exit_code == 0);
    Engine engine(fixture.model, kind.size() > 2 ? DataType::bf16 : DataType::f32);
    zeroth::replay_journal(zeroth::read_journal(fixture.out + "/journal"), engine.parameters);
    CHECK(engine.values() == values_of(fixture.out + "/model/model.gguf"));
  }
}

TEST_CASE("replay makes the adapter that an engine tuned") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune({"--lora-rank", "2"})).exit_code == 0);
  std::string const adapter = fixture.out + "/adapter";
  Place const place;
  zeroth::cli::ModelOptions options;
  options.model = fixture.model;
  options.adapter = adapter;
  zeroth::cli::LanguageModel const tuned(options);
  zeroth::ZerothOrderOptimizer optimizer(tuned.tuned(), zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                         {.learning_rate = 1e-2});
  {
    zeroth::JournalFile journal(place.journal, optimizer);
    for (double loss = 1; optimizer.steps() < 4; loss *= 1.25)
      journal.append(optimizer.step([&] { return loss *= 0.9; }));
  }
  std::string const expected = (place.directory.path() / "expected").string();
  zeroth::cli::save_adapter(tuned, expected);
  Outcome const outcome = run_program(place.replay(fixture.model, {"--adapter", adapter}));
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  std::string const file = "/adapter_model.safetensors";
  CHECK(read_file(place.output + file) == read_file(expected + file));
  CHECK(read_file(place.output + file) != read_file(adapter + file));
  check_rejected_at_once(place.replay(fixture.model, {"--overwrite"}),
                         ".lora_a': expected a tensor of " + fixture.model + ", found none of that name there");
}

TEST_CASE("replay rejects an engine's journal over another model, by name") {
  Place const place;
  std::string const folder = place.exported(base);
  Engine engine(base, DataType::f32);
  engine.tune(place.journal);
  std::string const bytes = read_file(place.journal);
  // LLaMA's rows of Q and K lie in another order in a folder.
  check_rejected_at_once(place.replay(folder), place.journal + ": base weights: expected those with hash 0x");
  check_rejected_at_once(place.replay(folder),
                         " in " + folder +
                             "; rows of Q and K are in another order in GGUF than in safetensors: give the " +
                             "model in the form that the run had");
  check_rejected_at_once(place.replay(golden("mha_tied.gguf")), place.journal + ": tensor '");
  check_rejected_at_once(place.replay(golden("mha_tied.gguf")), ", as the run had, found ");

  fs::remove(place.journal);
  Engine(folder, DataType::f32).tune(place.journal);
  check_rejected_at_once(place.replay(base), ": expected a tensor of " + base + ", found none of that name there");

  fs::remove(place.journal);
  struct MyMask {
    bool operator()(float theta, std::uint64_t /*element*/) const { return theta > 0; }
    static constexpr std::string_view name() { return "my-mask"; }
    bool operator==(MyMask const&) const = default;
  };
  Engine(base, DataType::f32).tune(place.journal, MyMask{});
  check_rejected_at_once(place.replay(base), place.journal + ": mask: expected one of the library's, ");
  CHECK_FALSE(fs::exists(place.output));
}
