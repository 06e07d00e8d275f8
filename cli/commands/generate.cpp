// SPDX-License-Identifier: MIT
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/decoder/sampling.hpp>
#include <zeroth_model/text/printable.hpp>
#include <zeroth_model/text/unicode.hpp>

#include "commands.hpp"
#include "io/standard_streams.hpp"
#include "io/text.hpp"
#include "run/interrupt.hpp"
#include "run/language_model.hpp"

namespace zeroth::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

/// Prints text as it comes, and holds back an incomplete character until the rest of it arrives. A terminal gets no
/// control characters but newlines and tabs, so that a model cannot steer it.
class TextStream {
 public:
  void write(std::string_view bytes) {
    held_ += bytes;
    std::size_t const whole = held_.size() - incomplete_utf8_suffix(held_);
    show(std::string_view(held_).substr(0, whole));
    held_.erase(0, whole);
  }

  void finish() {
    show(held_);
    held_.clear();
    print_now("\n");
  }

 private:
  void show(std::string_view text) const {
    std::string const valid = model::replace_invalid_utf8(text);
    print_now(on_terminal_ ? model::replace_unprintable(valid, "\n\t") : valid);
  }

  bool on_terminal_ = prints_on_terminal();
  std::string held_;
};

Tokens encode_prompt(GenerateOptions const& options, LanguageModel const& model) {
  Tokens tokens;
  if (model.tokenizer.add_bos() && model.tokenizer.bos()) tokens.push_back(*model.tokenizer.bos());
  Tokens const text = model.tokenizer.encode(options.prompt);
  tokens.insert(tokens.end(), text.begin(), text.end());
  if (tokens.empty()) throw InvalidArgument("--prompt: expected at least one token, found an empty text");
  std::uint32_t const context = model.weights.config().context_length;
  if (tokens.size() >= context)
    throw InvalidArgument("--prompt: expected less than " + std::to_string(context) +
                          " tokens, the model's context, found " + std::to_string(tokens.size()));
  return tokens;
}

}  // namespace

int run(GenerateOptions const& options) {
  options.check();
  catch_interrupts();
  LanguageModel const model(options, options.dtype, options.cuda_device, options.maps_weights());
  ThreadPool executor{options.threads};
  model::AnyDecoder decoder = make_decoder(model, options, executor);
  Tokens tokens = encode_prompt(options, model);

  std::vector<double> logits(model.weights.config().vocabulary);
  std::size_t position = tokens.size();
  TextStream out;
  std::uint32_t const context = model.weights.config().context_length;
  for (std::uint32_t made = 0; made < options.max_new_tokens && !interrupted(); ++made) {
    decoder.next(tokens, logits);
    std::int32_t const token = model::sample_token(logits, options, position);
    // Rows of the head beyond the tokenizer's vocabulary are padding.
    bool const known = static_cast<std::size_t>(token) < model.tokenizer.vocabulary_size();
    if (!known || model.is_end(token)) break;
    tokens.assign(1, token);
    out.write(model.tokenizer.token_bytes(token));
    if (++position >= context) break;
  }
  out.finish();
  return interrupted() ? interrupted_exit_code : 0;
}

}  // namespace zeroth::cli
