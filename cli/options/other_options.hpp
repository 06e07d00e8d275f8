// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <tuple>

#include <zeroth_model/decoder/sampling.hpp>

#include "option_row.hpp"
#include "option_values.hpp"
#include "options.hpp"
#include "tasks/builtin_tasks.hpp"

namespace zeroth::cli {

/// The options that only commands other than `finetune` have, a row each.
[[nodiscard]] inline auto other_options() {
  return std::tuple(
      OptionRow(&ReplayModelOptions::journal, "--journal", Path{"FILE"},
                {.help = "journal of the run: DIR/journal", .required = true}),
      OptionRow(&ReplayModelOptions::output, "--output", Path{"DIR"},
                {.help = "folder of the tuned model, or adapter, to write", .required = true}),
      OptionRow(&ReplayModelOptions::until, "--until", WholeNumber<std::uint64_t>{},
                {.help = "how many steps to replay; default all"}),
      OptionRow(&ReplayModelOptions::save, "--save", any_of<SaveFormat>(), {.help = "format of the tuned model"}),
      OptionRow(&ReplayModelOptions::overwrite, "--overwrite", Flag{}, {.help = "replace what is there"}),

      OptionRow(&JournalOptions::journal, "journal", Path{"FILE"},
                {.help = "journal of the run: DIR/journal", .required = true}),
      OptionRow(&JournalOptions::json, "--json", Flag{}, {.help = "print JSON"}),
      OptionRow(&JournalOptions::plot, "--plot", Path{"FILE"},
                {.help = "write a plot of the run as an SVG image instead of printing a table"}),
      OptionRow(&JournalOptions::repair, "--repair", Flag{},
                {.help = "cut a damaged journal at its first bad record, and keep what is cut in a file next to it"}),

      OptionRow(&EvalOptions::output, "--output", Path{"FILE"}, {.help = "JSON file to write", .required = true}),

      OptionRow(&ScoreOptions::input, "--input", Path{"FILE"},
                {.help = "text file, one sequence per line", .required = true}),
      OptionRow(&ScoreOptions::output, "--output", Path{"FILE"},
                {.help = "JSON Lines file to write", .required = true}),

      OptionRow(&GenerateOptions::prompt, "--prompt", Text{"TEXT"}, {.help = "text to continue", .required = true}),
      OptionRow(&GenerateOptions::max_new_tokens, "--max-new-tokens", WholeNumber<std::uint32_t>{1},
                {.help = "tokens to generate, at most; fewer if the model ends the text"}),
      OptionRow(&model::SamplingOptions::temperature, "--temperature", RealNumber{Bounds::not_negative},
                {.help = "randomness: logits are divided by it; 0 takes the likeliest token"}),
      OptionRow(&model::SamplingOptions::top_k, "--top-k", WholeNumber<std::uint32_t>{},
                {.help = "draw only from the N likeliest tokens; 0: from all"}),
      OptionRow(&model::SamplingOptions::top_p, "--top-p", RealNumber{Bounds::probability, "P"},
                {.help = "draw only from the likeliest tokens whose probabilities add up to P"}),
      OptionRow(&model::SamplingOptions::seed, "--seed", WholeNumber<std::uint64_t>{}, {.help = "seed of the draws"}),

      OptionRow(&TokenizeOptions::input, "--input", Path{"FILE"}, {.help = "text file", .required = true}),
      OptionRow(&TokenizeOptions::output, "--output", Path{"FILE"}, {.help = "JSON Lines file to write"}),

      OptionRow(&ExportOptions::output, "--output", Path{"PATH"},
                {.help = "folder (safetensors) or file (gguf, gguf-lora) to write", .required = true}),
      OptionRow(
          &ExportOptions::to, "--to", any_of<ExportFormat>(),
          {.help = "what to write: the model, or with gguf-lora the --adapter alone, as llama.cpp's --lora reads it"}),
      OptionRow(&ExportOptions::dtype, "--dtype",
                OneOf<model::TensorType>{{model::TensorType::f32, model::TensorType::f16, model::TensorType::bf16,
                                          model::TensorType::q8_0, model::TensorType::q4_0}},
                {.help = "type of the weights to write; q8_0 and q4_0 in gguf only"}),
      OptionRow(&ExportOptions::overwrite, "--overwrite", Flag{}, {.help = "replace what is there"}),

      OptionRow(&InspectOptions::json, "--json", Flag{}, {.help = "print JSON"}),

      OptionRow(&TasksOptions::name, "name", Text{builtin_task_names("|")},
                {.help = "task whose file is printed, to start your own from"}),

      OptionRow(&CompletionOptions::shell, "shell", any_of<Shell>(),
                {.help = "shell to write the script for", .required = true}));
}

}  // namespace zeroth::cli
