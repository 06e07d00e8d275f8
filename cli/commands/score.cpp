// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/decoder/packed_batch.hpp>

#include "commands.hpp"
#include "io/json.hpp"
#include "io/output.hpp"
#include "io/text.hpp"
#include "run/language_model.hpp"

namespace zeroth::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

// Lines are scored in batches of about this many tokens: enough to keep a processor busy, with little memory.
constexpr std::size_t scored_together = 512;

/// Scores lines, several at a time, and writes one JSON object per line.
class LineScorer {
 public:
  LineScorer(model::AnyDecoder& decoder, OutputFile& output) : decoder_(decoder), output_(output) {}

  void add(Tokens line) {
    if (!line.empty()) {
      std::size_t const first = batch_.rows();
      batch_.add_segment(line);
      for (std::size_t i = 1; i < line.size(); ++i) batch_.request(first + i - 1, line[i]);
    }
    lines_.push_back(std::move(line));
    if (batch_.rows() >= scored_together) flush();
  }

  void flush() {
    std::vector<double> scores(batch_.requests().size());
    decoder_.score(batch_, model::ScoreKind::log_probability, scores);
    auto next = scores.begin();
    for (Tokens const& line : lines_) {
      Json log_probabilities = Json::array();
      if (!line.empty()) log_probabilities.push_back(nullptr);
      for (std::size_t i = 1; i < line.size(); ++i) log_probabilities.push_back(*next++);
      output_.write(json_text({{"tokens", line}, {"logprobs", std::move(log_probabilities)}}) + "\n");
    }
    lines_.clear();
    batch_.clear();
  }

 private:
  model::AnyDecoder& decoder_;
  OutputFile& output_;
  std::vector<Tokens> lines_;
  model::PackedBatch batch_;
};

}  // namespace

int run(ScoreOptions const& options) {
  check_writable(options.output, {options.input, options.model});
  std::vector<std::string> const lines = read_lines(options.input);
  LanguageModel const model(options, options.dtype, options.cuda_device, options.maps_weights());
  ThreadPool executor{options.threads};
  model::AnyDecoder decoder = make_decoder(model, options, executor);

  OutputFile output(options.output);
  LineScorer scorer(decoder, output);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Tokens tokens = model.tokenizer.encode(lines[i]);
    if (tokens.size() > model.weights.config().context_length)
      throw InvalidFile(options.input.string() + ":" + std::to_string(i + 1) + ": expected at most " +
                        std::to_string(model.weights.config().context_length) + " tokens, the model's context, found " +
                        std::to_string(tokens.size()));
    scorer.add(std::move(tokens));
  }
  scorer.flush();
  output.finish();
  return 0;
}

}  // namespace zeroth::cli
