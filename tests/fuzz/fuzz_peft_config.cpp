// SPDX-License-Identifier: MIT
// adapter_config.json of LoRA adapters. An accepted configuration must read the same again after writing.

#include <string>
#include <vector>

#include <zeroth_model/io/peft/peft_config.hpp>

#include "fuzz_target.hpp"

namespace zeroth_fuzz {

bool run(Input input) {
  using namespace zeroth::model;
  return reads_or_refuses([&] {
    PeftConfig const config = read_peft_config(JsonValue::parse(text_of(input), "adapter_config.json"));
    if (!config.targets) return;  // another way to select modules, which is never written
    PeftConfig const again =
        read_again([&] { return read_peft_config(JsonValue::parse(peft_config_json(config).dump(), "written")); });
    require(again == config, "written again, it reads otherwise");
  });
}

std::vector<std::string> seeds() {
  return {
      R"({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]})",
      R"({"alpha_pattern": {}, "base_model_name_or_path": "a/b", "bias": "none", "init_lora_weights": true,
          "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 1.5, "lora_dropout": 0.1, "modules_to_save": [],
          "peft_type": "LORA", "r": 1, "target_modules": ["model.layers.0.mlp.up_proj"], "task_type": "CAUSAL_LM",
          "use_dora": false, "use_rslora": false})",
      R"({"peft_type": "LORA", "r": 8, "lora_alpha": 1e9, "target_modules": ".*", "exclude_modules": ["k_proj"],
          "init_lora_weights": "gaussian"})",
  };
}

}  // namespace zeroth_fuzz
