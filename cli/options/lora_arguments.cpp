// SPDX-License-Identifier: MIT
#include "lora_arguments.hpp"

#include <cstdint>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth_model/adapter/lora.hpp>
#include <zeroth_model/text/unicode.hpp>

#include "option_types.hpp"

namespace zeroth::cli {

void add_adapter(CLI::App& command, std::filesystem::path& adapter) {
  command
      .add_option("--adapter", adapter,
                  "LoRA adapter of the model: a folder with adapter_config.json and adapter_model.safetensors")
      ->type_name("DIR");
}

void add_lora(CLI::App& command, LoraArguments& options) {
  model::LoraOptions const defaults;
  std::string targets;
  for (std::string const& glob : defaults.targets) targets += (targets.empty() ? "" : ",") + glob;
  command.option_defaults()->group("Adapter");
  command
      .add_option("--lora-rank", options.lora_rank,
                  "tune a new LoRA adapter of this rank and leave the model's own weights alone")
      ->type_name("R")
      ->transform(whole_number<std::uint32_t>(1, model::lora_rank_limit));
  command
      .add_option(
          "--lora-alpha", options.lora_alpha,
          "the adapter's output is multiplied by X / R; default " + std::to_string(static_cast<int>(defaults.alpha)))
      ->type_name("X")
      ->check(real_number(Bounds::positive));
  command
      .add_option(
          "--lora-targets", options.lora_targets,
          "matrices to adapt: globs over names such as blk.0.attn_q.weight, with commas between; default " + targets)
      ->type_name("GLOB")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void check_lora(FinetuneOptions const& options) {
  bool const makes = options.lora_rank.has_value();
  if (makes && !options.adapter.empty())
    throw InvalidArgument("--adapter: expected no --lora-rank beside it, which makes an adapter anew");
  if (!makes && options.lora_alpha) throw InvalidArgument("--lora-alpha: expected --lora-rank beside it, found none");
  if (!makes && !options.lora_targets.empty())
    throw InvalidArgument("--lora-targets: expected --lora-rank beside it, found none");
  // They are written down as JSON, and no name of a tensor that has a meaning is anything else.
  for (std::string const& target : options.lora_targets)
    if (!model::is_utf8(target)) throw InvalidArgument("--lora-targets: expected UTF-8" + found(target));
}

}  // namespace zeroth::cli
