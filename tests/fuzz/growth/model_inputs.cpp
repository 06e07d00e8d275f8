// SPDX-License-Identifier: MIT
// Large files of models, tokenizers and adapters, and large journals.

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/zeroth.hpp>
#include <zeroth_model/io/gguf/gguf.hpp>
#include <zeroth_model/io/hugging_face/hugging_face_config.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/peft/peft_config.hpp>
#include <zeroth_model/io/safetensors/safetensors_checkpoint.hpp>
#include <zeroth_model/io/safetensors/safetensors_writer.hpp>
#include <zeroth_model/tokenizer/from_hugging_face.hpp>
#include <zeroth_model/tokenizer/load_tokenizer.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>
#ifdef ZEROTH_SENTENCEPIECE
#include <zeroth_model/tokenizer/sentencepiece.hpp>
#endif

#include "../fuzz_target.hpp"
#include "gguf_bytes.hpp"
#include "growth.hpp"
#include "temporary_directory.hpp"

namespace zeroth_fuzz {
namespace {

using namespace zeroth;
using namespace zeroth::model;

std::string number(std::size_t i) {
  return std::to_string(i);
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Reads every value as a type that it does not have: each rejection names a place.
void walk(const JsonValue& value) {
  reads_or_refuses([&] { value.as<bool>(); });
  reads_or_refuses([&] { value.get_array<std::string>("a"); });
  if (value.is_array()) {
    for (const JsonValue& element : value.elements()) walk(element);
  } else if (value.is_object()) {
    for (const JsonMember& member : value.members()) walk(member.value);
  }
}

void read_json(std::string_view text) {
  reads_or_refuses([&] { walk(JsonValue::parse(text, "input.json", {.bytes = std::size_t{1} << 30})); });
}

std::string key(std::size_t i) {
  return "\"key " + number(i) + "\": ";
}

void add_json(std::vector<LargeInput>& inputs) {
  const auto add = [&](const std::string& name, std::function<std::string(std::size_t)> make) {
    inputs.push_back({"json: " + name, std::move(make), read_json});
  };
  const auto object = [](std::size_t n, std::string_view value) {
    return "{" + joined(n, ", ", [&](std::size_t i) { return key(i) + std::string(value); });
  };
  add("keys", [=](std::size_t n) { return object(n, "true") + "}"; });
  add("objects in an object", [=](std::size_t n) { return object(n, "{\"a\": {}}") + "}"; });
  add("arrays in an object", [=](std::size_t n) { return object(n, "[[], {}]") + "}"; });
  add("objects in an array", [](std::size_t n) { return "[" + repeated("{\"a\": [1]}, ", n) + "{}]"; });
  add("empty arrays", [](std::size_t n) { return "[" + repeated("[],", 10 * n) + "[]]"; });
  add("numbers", [](std::size_t n) { return "[" + repeated("1,", 10 * n) + "1]"; });
  add("a string", [](std::size_t n) { return "[\"" + repeated("\\n\\u00e9text", 10 * n) + "\"]"; });
  add("a key", [](std::size_t n) { return "{\"" + repeated("\\u0041b", 10 * n) + "\": 1}"; });
  add("strings after a long one",
      [](std::size_t n) { return "[\"" + std::string(10 * n, 'x') + "\"" + repeated(", \"x\"", n) + "]"; });
  add("keys in deep objects",
      [=](std::size_t n) { return repeated("{\"a\": ", 60) + object(n, "[0]") + "}" + std::string(60, '}'); });
  add("a key twice, at the end", [=](std::size_t n) { return object(n, "{\"a\": 1}") + ", \"key 0\": 1}"; });
  add("a key twice in each object", [=](std::size_t n) { return object(n, "{\"a\": 1, \"a\": 1}") + "}"; });
  add("a comma too many, at the end", [=](std::size_t n) { return object(n, "{\"a\": 1}") + ",}"; });
  add("no end", [=](std::size_t n) { return object(n, "{\"a\": 1}"); });
  add("nested too deep", [](std::size_t n) { return std::string(100 * n, '['); });
  add("a number of many digits", [](std::size_t n) { return "[" + std::string(10 * n, '7') + "]"; });
}

std::string safetensors(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + std::string(data, '\x3c');
}

std::string tensor_item(std::size_t i) {
  return "\"layers." + number(i) + R"(": {"dtype": "F16", "shape": [1, 1], "data_offsets": [)" + number(2 * i) + ", " +
         number(2 * i + 2) + "]}";
}

void add_safetensors(std::vector<LargeInput>& inputs) {
  const auto add = [&](const std::string& name, std::function<std::string(std::size_t)> make) {
    inputs.push_back({"safetensors: " + name, std::move(make), [](std::string_view text) {
                        reads_or_refuses([&] {
                          const SafetensorsFile file(MappedFile::in_memory("input.safetensors", bytes_of(text)));
                          for (const SafetensorsTensor& tensor : file.tensors())
                            require(file.find_tensor(tensor.name) == &tensor, "a tensor is not found by its name");
                        });
                      }});
  };
  add("tensors", [](std::size_t n) { return safetensors("{" + joined(n, ", ", tensor_item) + "}", 2 * n); });
  add("tensors, the last of them twice", [](std::size_t n) {
    return safetensors("{" + joined(n, ", ", tensor_item) + ", " + tensor_item(n - 1) + "}", 2 * n);
  });
  add("tensors and a byte too many",
      [](std::size_t n) { return safetensors("{" + joined(n, ", ", tensor_item) + "}", 2 * n + 1); });
  add("metadata", [](std::size_t n) {
    return safetensors("{\"__metadata__\": {" + joined(n, ", ", [](std::size_t i) { return key(i) + "\"v\""; }) + "}}",
                       0);
  });
  add("dimensions", [](std::size_t n) {
    return safetensors(R"({"a": {"dtype": "U8", "data_offsets": [0, 1], "shape": [1)" + repeated(",1", 10 * n) + "]}}",
                       1);
  });

  inputs.push_back({"safetensors_index: tensors",
                    [](std::size_t n) {
                      return R"({"weight_map": {"a": "one", )" +
                             joined(n, ", ", [](std::size_t i) { return key(i) + "\"one\""; }) + "}}";
                    },
                    [](std::string_view text) {
                      static const zeroth_test::TemporaryDirectory folder;
                      static const bool written = [] {
                        SafetensorsWriter writer((folder / "one").string());
                        writer.add_tensor("a", std::vector<std::uint64_t>{1, 1});
                        writer.write("a", std::vector<float>(1));
                        writer.commit();
                        return true;
                      }();
                      require(written, "no part");
                      std::ofstream(folder / "model.safetensors.index.json", std::ios::binary) << text;
                      reads_or_refuses([&] { const SafetensorsCheckpoint checkpoint(folder.path()); });
                    }});
}

void add_gguf(std::vector<LargeInput>& inputs) {
  using namespace zeroth_test::gguf_types;
  using zeroth_test::GgufBytes;
  const auto add = [&](const std::string& name, std::function<std::string(std::size_t)> make) {
    inputs.push_back({"gguf: " + name, std::move(make), [](std::string_view text) {
                        reads_or_refuses([&] {
                          const GgufFile file(MappedFile::in_memory("input.gguf", bytes_of(text)));
                          for (const GgufEntry& entry : file.metadata()) {
                            reads_or_refuses([&] { file.get<double>(entry.key); });
                            reads_or_refuses([&] { file.get_array<std::string_view>(entry.key); });
                          }
                          for (const GgufTensor& tensor : file.tensors())
                            require(file.find_tensor(tensor.name) == &tensor, "a tensor is not found by its name");
                        });
                      }});
  };
  const auto entries = [](std::size_t n) {
    GgufBytes bytes;
    bytes.header(0, n);
    for (std::size_t i = 0; i < n; ++i) bytes.scalar("key." + number(i), t_uint32, 1u);
    return bytes;
  };
  add("metadata", [=](std::size_t n) { return entries(n).data(); });
  add("metadata cut short", [=](std::size_t n) {
    const std::string whole = entries(n).data();
    return whole.substr(0, whole.size() - 1);
  });
  add("strings of an array", [](std::size_t n) {
    GgufBytes bytes;
    bytes.header(0, 1).strings("a", std::vector<std::string>(10 * n, "text"));
    return bytes.data();
  });
  add("a string", [](std::size_t n) { return GgufBytes().header(0, 1).string("a", std::string(20 * n, 'x')).data(); });
  add("tensors", [](std::size_t n) {
    GgufBytes bytes;
    bytes.header(n, 0);
    for (std::size_t i = 0; i < n; ++i) bytes.tensor("blk." + number(i), {1}, 0, 32 * i);
    return bytes.pad().zeros(32 * n).data();
  });
  add("tensors of one name", [](std::size_t n) {
    GgufBytes bytes;
    bytes.header(n, 0);
    for (std::size_t i = 0; i < n; ++i) bytes.tensor("blk", {1}, 0, 32 * i);
    return bytes.pad().zeros(32 * n).data();
  });
}

void add_tokenizers(std::vector<LargeInput>& inputs) {
  const auto add = [&](const std::string& name, std::function<std::string(std::size_t)> make) {
    inputs.push_back({"tokenizer_json: " + name, std::move(make), [](std::string_view text) {
                        reads_or_refuses([&] {
                          const AnyTokenizer tokenizer = zeroth::model::detail::make_hugging_face_tokenizer(
                              parse_tokenizer_json(text, "tokenizer.json"), {}, {}, "tokenizer.json");
                          require(!tokenizer.encode("a").empty(), "a letter has no token");
                        });
                      }});
  };
  const std::string byte_level =
      R"("pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}, )";
  const auto model = [](const std::string& vocabulary, const std::string& merges) {
    return R"("model": {"type": "BPE", "vocab": {"a": 0, "b": 1)" + vocabulary + R"(}, "merges": [)" + merges + "]}}";
  };
  const auto token = [](std::size_t i) { return ", \"t" + number(i) + "\": " + number(i + 2); };
  add("tokens", [=](std::size_t n) { return "{" + byte_level + model(joined(n, "", token), ""); });
  add("merges", [=](std::size_t n) {
    // a, ab, abb, ...: the texts grow, so their number is the square root of n.
    std::string vocabulary;
    std::string merges;
    std::string text = "a";
    for (std::size_t i = 0; i * i < n; ++i) {
      merges += (i == 0 ? "\"" : ", \"") + text + " b\"";
      text += "b";
      vocabulary += ", \"" + text + "\": " + number(i + 2);
    }
    return "{" + byte_level + model(vocabulary, merges);
  });
  add("merges, the last of them wrong",
      [=](std::size_t n) { return "{" + byte_level + model(", \"ab\": 2", repeated("\"a b\", ", n) + "\"a\""); });
  add("tokens of one id", [=](std::size_t n) {
    return "{" + byte_level + model(joined(n, "", [](std::size_t i) { return ", \"t" + number(i) + "\": 2"; }), "");
  });
  add("added tokens", [=](std::size_t n) {
    return "{\"added_tokens\": [" +
           joined(n, ", ",
                  [](std::size_t i) {
                    return "{\"id\": " + number(i + 2) + ", \"content\": \"<" + number(i) + ">\", \"special\": true}";
                  }) +
           "], " + byte_level + model("", "");
  });

  inputs.push_back({"sentencepiece_model: pieces",
                    [](std::size_t n) {
                      SentencePieceModel pieces;
                      pieces.kind = SentencePieceModel::Kind::byte_pair;
                      pieces.remove_extra_whitespaces = false;
                      pieces.pieces = {{"<unk>", 0, TokenType::unknown}};
                      for (std::size_t i = 0; i < n; ++i)
                        pieces.pieces.push_back({"p" + number(i), -static_cast<float>(i), TokenType::normal});
                      return serialize_sentencepiece_model(pieces);
                    },
                    [](std::string_view text) {
                      reads_or_refuses([&] {
                        const SentencePieceModel read = parse_sentencepiece_model(text, "tokenizer.model");
                        require(serialize_sentencepiece_model(read) == text, "written again, it reads otherwise");
                      });
                    }});
}

#ifdef ZEROTH_SENTENCEPIECE
/// A unigram model with the pieces a, aa, ... up to `longest` bytes: at each byte of a text of a's, one of each size
/// begins.
SentencePieceModel unigram_of_repeats(std::size_t longest) {
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::unigram;
  model.add_dummy_prefix = false;
  model.pieces = {{"<unk>", 0, TokenType::unknown}};
  for (std::size_t size = 1; size <= longest; ++size)
    model.pieces.push_back({std::string(size, 'a'), -1 - static_cast<float>(size) / 2, TokenType::normal});
  return model;
}
#endif

/// A tokenizer.json with a unigram model of the pieces a, aa, ... up to `longest` bytes.
std::string unigram_json_of_repeats(std::size_t longest) {
  return R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": false},
    "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0])" +
         joined(longest, "",
                [](std::size_t i) { return ", [\"" + std::string(i + 1, 'a') + "\", -" + number(i + 2) + "]"; }) +
         "]}}";
}

void add_unigrams(std::vector<LargeInput>& inputs) {
  constexpr std::size_t longest = 64;
  const auto text = [](std::size_t n) { return std::string(20 * n, 'a'); };
  // The texts grow, so their number is the square root of n.
  const auto root = [](std::size_t n) {
    std::size_t count = 1;
    while (count * count < 20 * n) ++count;
    return count;
  };
  const auto load = [](std::string_view json) {
    return zeroth::model::detail::make_hugging_face_tokenizer(parse_tokenizer_json(json, "tokenizer.json"), {}, {},
                                                              "tokenizer.json");
  };
  inputs.push_back({"unigram: a text with pieces of all sizes", text, [load](std::string_view input) {
                      static const AnyTokenizer tokenizer = load(unigram_json_of_repeats(longest));
                      require(tokenizer.encode(input).size() * longest >= input.size(), "too few tokens");
                    }});
  inputs.push_back({"unigram: pieces that begin each other",
                    [root](std::size_t n) { return unigram_json_of_repeats(root(n)); },
                    [load](std::string_view input) { require(load(input).encode("a").size() == 1, "no token"); }});
#ifdef ZEROTH_SENTENCEPIECE
  // The library's instructions are not counted, but its memory is: a lattice of all pieces of a text would be too
  // large.
  inputs.push_back({"sentencepiece: a text with pieces of all sizes", text, [](std::string_view input) {
                      static const SentencePieceTokenizer tokenizer(unigram_of_repeats(longest));
                      require(tokenizer.encode(input).size() * longest >= input.size(), "too few tokens");
                    }});
  inputs.push_back({"sentencepiece: pieces that begin each other",
                    [root](std::size_t n) { return serialize_sentencepiece_model(unigram_of_repeats(root(n))); },
                    [](std::string_view input) {
                      const SentencePieceTokenizer tokenizer(parse_sentencepiece_model(input, "tokenizer.model"));
                      require(tokenizer.encode("a").size() == 1, "no token");
                    }});
#endif
}

void add_configurations(std::vector<LargeInput>& inputs) {
  const auto config = [](std::string_view text) {
    reads_or_refuses([&] { (void)read_hugging_face_config(JsonValue::parse(text, "config.json")); });
  };
  const std::string sizes =
      R"({"model_type": "llama", "intermediate_size": 12, "hidden_size": 8, "num_hidden_layers": 2,
    "num_attention_heads": 2, "vocab_size": 9, "max_position_embeddings": 16, "rms_norm_eps": 1e-5)";
  inputs.push_back({"hugging_face_config: keys",
                    [=](std::size_t n) {
                      return sizes + joined(n, "", [](std::size_t i) { return ", " + key(i) + "{\"a\": 1}"; }) + "}";
                    },
                    config});
  inputs.push_back({"hugging_face_config: eos tokens",
                    [=](std::size_t n) { return sizes + ", \"eos_token_id\": [1" + repeated(", 2", 10 * n) + "]}"; },
                    config});

  const auto peft = [](std::string_view text) {
    reads_or_refuses([&] {
      const PeftConfig read = read_peft_config(JsonValue::parse(text, "adapter_config.json"));
      (void)peft_config_json(read);
    });
  };
  const std::string lora = R"({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj")";
  inputs.push_back({"peft_config: modules",
                    [=](std::size_t n) {
                      return lora + joined(n, "", [](std::size_t i) { return ", \"m" + number(i) + "\""; }) + "]}";
                    },
                    peft});
  inputs.push_back({"peft_config: keys",
                    [=](std::size_t n) {
                      return lora + "]" + joined(n, "", [](std::size_t i) { return ", " + key(i) + "null"; }) + "}";
                    },
                    peft});
}

void add_journals(std::vector<LargeInput>& inputs) {
  const auto add = [&](const std::string& name, std::function<Journal(std::size_t)> make) {
    inputs.push_back({"journal: " + name,
                      [=](std::size_t n) {
                        const std::vector<std::byte> bytes = make(n).bytes();
                        return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                      },
                      [](std::string_view text) {
                        reads_or_refuses([&] { const Journal journal = Journal::read(bytes_of(text), "run.journal"); });
                      }});
  };
  const auto header = [] {
    JournalHeader small;
    small.base_hash = 1;
    small.samples = 1;
    small.fields = {{"sampler", "gaussian"}, {"seed", "7"}};
    small.tensors = {{"a", Role::matrix, DataType::bf16, {2, 300}, 5, 0}};
    return small;
  };
  add("records", [=](std::size_t n) {
    Journal journal(header());
    StepRecord step;
    step.coefficients = {0.5F};
    step.active_weights = 600;
    for (std::size_t i = 0; i < n; ++i) {
      step.step = static_cast<std::uint32_t>(i);
      journal.append(step);
    }
    return journal;
  });
  add("notes", [=](std::size_t n) {
    JournalHeader notes = header();
    for (std::size_t i = 0; i < n; ++i) notes.notes.push_back({"note " + number(i), "text"});
    return Journal(notes);
  });
  add("tensors", [=](std::size_t n) {
    JournalHeader tensors = header();
    tensors.tensors.clear();
    for (std::size_t i = 0; i < n; ++i)
      tensors.tensors.push_back(
          {"layers." + number(i), Role::matrix, DataType::f32, {2, 3}, static_cast<std::uint32_t>(i), 0});
    return Journal(tensors);
  });
}

}  // namespace

std::vector<LargeInput> large_model_inputs() {
  std::vector<LargeInput> inputs;
  add_json(inputs);
  add_safetensors(inputs);
  add_gguf(inputs);
  add_tokenizers(inputs);
  add_unigrams(inputs);
  add_configurations(inputs);
  add_journals(inputs);
  return inputs;
}

}  // namespace zeroth_fuzz
