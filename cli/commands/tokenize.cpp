// SPDX-License-Identifier: MIT
#include <cstdint>
#include <string>
#include <vector>

#include <zeroth_model/io/model_source.hpp>
#include <zeroth_model/text/unicode.hpp>

#include "commands.hpp"
#include "io/json.hpp"
#include "io/output.hpp"
#include "io/text.hpp"
#include "run/language_model.hpp"

namespace zeroth::cli {

int run(TokenizeOptions const& options) {
  check_writable(options.output, {options.input, options.model});
  model::ModelSource const source(options.model);
  Tokenizer const tokenizer = tokenizer_of(source);
  OutputFile output(options.output);
  for (std::string const& line : read_lines(options.input)) {
    std::vector<std::int32_t> const tokens = tokenizer.encode(line);
    Json pieces = Json::array();
    for (std::int32_t token : tokens) pieces.push_back(model::replace_invalid_utf8(tokenizer.token_bytes(token)));
    output.write(json_text({{"tokens", tokens}, {"pieces", std::move(pieces)}}) + "\n");
  }
  output.finish();
  return 0;
}

}  // namespace zeroth::cli
