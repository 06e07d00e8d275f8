// SPDX-License-Identifier: MIT
// SentencePiece's tokenizer.model: an accepted model must read the same after it is written again, and make a tokenizer
// that encodes, decodes and exports.

#include <string>
#include <vector>

#include <zeroth_model/tokenizer/byte_fallback_tokenizer.hpp>
#include <zeroth_model/tokenizer/sentencepiece_model.hpp>

#include "fuzz_target.hpp"
#include "tokenizer_checks.hpp"

namespace zeroth_fuzz {

using namespace zeroth::model;

bool run(Input input) {
  return reads_or_refuses([&] {
    const SentencePieceModel model = parse_sentencepiece_model(text_of(input), "tokenizer.model");
    const std::string written = serialize_sentencepiece_model(model);
    const SentencePieceModel again = read_again([&] { return parse_sentencepiece_model(written, "written"); });
    require(serialize_sentencepiece_model(again) == written, "written again, it reads otherwise");
    check_tokenizer(detail::make_sentencepiece_tokenizer(model, {}, sentencepiece_maker(), "tokenizer.model"));
  });
}

std::vector<std::string> seeds() {
  SentencePieceModel model;
  model.pieces = {{"<unk>", 0, TokenType::unknown},
                  {"<s>", 0, TokenType::control},
                  {"</s>", 0, TokenType::control},
                  {"\xe2\x96\x81", -4},
                  {"a", -3},
                  {"b", -5},
                  {"ab", -1},
                  {"\xe2\x96\x81"
                   "ab",
                   -2},
                  {"user", 0, TokenType::user_defined},
                  {"\xc3\xa9", -6}};
  model.kind = SentencePieceModel::Kind::byte_pair;
  model.remove_extra_whitespaces = false;
  std::vector<std::string> files{serialize_sentencepiece_model(model)};

  // An empty trie of 256 units, and no strings but an empty one.
  model.charsmap = std::string("\0\4\0\0", 4) + std::string(1025, '\0');
  files.push_back(serialize_sentencepiece_model(model));

  model.kind = SentencePieceModel::Kind::unigram;
  model.charsmap.clear();
  model.remove_extra_whitespaces = true;
  files.push_back(serialize_sentencepiece_model(model));

  model.byte_fallback = true;
  model.add_dummy_prefix = false;
  for (int byte = 0; byte < 256; ++byte) {
    model.pieces.push_back({byte_token_text(static_cast<unsigned char>(byte)), 0, TokenType::byte});
  }
  files.push_back(serialize_sentencepiece_model(model));
  return files;
}

}  // namespace zeroth_fuzz
