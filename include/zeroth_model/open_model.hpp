// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth_model/io/file_status.hpp>
#include <zeroth_model/io/json_file.hpp>
#include <zeroth_model/io/model_source.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/tokenizer/any_tokenizer.hpp>
#include <zeroth_model/tokenizer/end_tokens.hpp>
#include <zeroth_model/tokenizer/load_tokenizer.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>
#include <zeroth_model/weights/weight_memory.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The tokenizer stored with a model's weights.
/// @throws InvalidFile naming file and key, if its kind is unknown.
[[nodiscard]] inline AnyTokenizer load_tokenizer(ModelSource const& source, SentencePieceMaker const& maker = {}) {
  if (source.gguf() != nullptr) return load_tokenizer(*source.gguf(), maker);
  return load_tokenizer(source.folder()->path, maker);
}

/// The tokens that end a text, the tokenizer's eos first.
/// @throws InvalidFile if generation_config.json cannot be read.
[[nodiscard]] inline std::vector<std::int32_t> end_tokens(ModelSource const& source, AnyTokenizer const& tokenizer) {
  if (source.gguf() != nullptr) return end_tokens(*source.gguf(), tokenizer);
  HuggingFaceFolder const& folder = *source.folder();
  std::optional<JsonValue> generation;
  std::string const name = "generation_config.json";
  std::string const path = (folder.path / name).string();
  if (folder.files) {
    if (auto const found = folder.files->find(name); found != folder.files->end())
      generation = JsonValue::parse(found->second, path);
  } else if (path_exists(path)) {
    generation = JsonValue::load(path);
  }
  return end_tokens(folder.config, generation, tokenizer);
}

/// Options of open_model().
struct OpenOptions {
  DataType dtype = DataType::f32;  ///< type of the matrices in memory, see DecoderWeights
  WeightMemory memory = {};        ///< where the weights lie; by default in host memory
  bool as_stored = false;          ///< the weights stay in the files, in their encoding: see ModelSource::map()
  SentencePieceMaker maker = {};   ///< pass sentencepiece_tokenizer for models that need SentencePiece
  bool keeps_files = false;  ///< see ModelSource::keep_files(): the model can be saved even if its files are removed
};

/// A model in memory and its files, from which a saved model takes its metadata and tokenizer files.
struct Model {
  ModelSource source;
  AnyTokenizer tokenizer;
  std::vector<std::int32_t> end_tokens;  ///< the tokens that end a text, the tokenizer's eos first
  DecoderWeights weights;                ///< if they are held as stored, they lie in `source`

  /// Reads tokenizer and weights of a source.
  /// @throws InvalidFile naming file, field or tensor, if they are not supported or do not match each other.
  Model(ModelSource files, OpenOptions const& options)
      : source(std::move(files)),
        tokenizer(load_tokenizer(source, options.maker)),
        end_tokens(model::end_tokens(source, tokenizer)),
        weights(options.as_stored ? source.map() : source.load(options.dtype, options.memory)) {
    check_vocabulary();
  }

  /// Reads only the tokenizer from a source.
  /// @throws InvalidFile if it has more tokens than the weights have rows.
  Model(ModelSource files, DecoderWeights its_weights, SentencePieceMaker const& maker = {})
      : source(std::move(files)),
        tokenizer(load_tokenizer(source, maker)),
        end_tokens(model::end_tokens(source, tokenizer)),
        weights(std::move(its_weights)) {
    check_vocabulary();
  }

  /// Whether this token ends a text.
  [[nodiscard]] bool is_end(std::int32_t token) const noexcept {
    return std::find(end_tokens.begin(), end_tokens.end(), token) != end_tokens.end();
  }

 private:
  void check_vocabulary() const {
    std::size_t const tokens = tokenizer.vocabulary_size();
    if (tokens > weights.config().vocabulary)
      throw InvalidFile(source.path() + ": tokenizer: expected at most as many tokens as the embedding has rows, " +
                        std::to_string(weights.config().vocabulary) + ", found " + std::to_string(tokens) +
                        ", the last of which is \"" +
                        detail::printable(tokenizer.token_text(static_cast<std::int32_t>(tokens - 1))) + "\"");
  }
};

/// Opens the model at `path`: a GGUF file, or a folder with model.gguf or with config.json and safetensors.
///
///     zeroth::model::Model const model = zeroth::model::open_model("model.gguf");
///     std::vector<std::int32_t> const tokens = model.tokenizer.encode("The film was");
///
/// @throws InvalidFile naming file, key or tensor, if this is not a supported model.
[[nodiscard]] inline Model open_model(std::filesystem::path const& path, OpenOptions const& options = {}) {
  ModelSource source(path);
  if (options.keeps_files) source.keep_files();
  return {std::move(source), options};
}

}  // namespace zeroth::ZEROTH_ISA::model
