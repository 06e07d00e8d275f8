# SPDX-License-Identifier: MIT
"""Makes tests/golden/peft: a random LoRA adapter on some of the models in tests/golden/families, as PEFT saves it, with
the log-probabilities that PEFT and Hugging Face transformers give the adapted model.

    pip install torch transformers peft numpy
    python tests/golden/golden_peft.py [FOLDER, by default tests/golden/peft]

Weights are numbers that bfloat16 holds exactly. PEFT's README.md is left out.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import peft
import torch
import transformers
from golden import log_probabilities, shortest, write_json

FAMILIES = pathlib.Path(__file__).resolve().parent / "families"

ATTENTION = ["q_proj", "k_proj", "v_proj"]
ADAPTERS = {
    "llama3": {"r": 4, "lora_alpha": 6, "target_modules": "all-linear"},
    "llama_bias_linear": {"r": 2, "lora_alpha": 16, "use_dtype": torch.bfloat16,
                          "target_modules": ["model.layers.1.self_attn.k_proj", "model.layers.0.mlp.down_proj"]},
    "mistral": {"r": 3, "lora_alpha": 1, "target_modules": ["q_proj", "v_proj"]},
    "qwen2": {"r": 8, "lora_alpha": 8, "target_modules": [*ATTENTION, "up_proj"]},
    "opt": {"r": 5, "lora_alpha": 10, "target_modules": [*ATTENTION, "out_proj", "fc1", "fc2"]},
    "phi3": {"r": 3, "lora_alpha": 6, "target_modules": ["qkv_proj", "gate_up_proj", "down_proj"]},
    "gemma3": {"r": 2, "lora_alpha": 4, "target_modules": "all-linear"},
}  # fmt: skip


def golden_adapter(name, options, seed, folder):
    random = np.random.default_rng(seed)
    dtype = options.pop("use_dtype", torch.float32)
    network = transformers.AutoModelForCausalLM.from_pretrained(
        FAMILIES / name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    vocabulary = network.config.vocab_size
    sequences = [random.integers(0, vocabulary, n).tolist() for n in (2, 5, 17, 48)]
    plain = [log_probabilities(network, tokens) for tokens in sequences]

    adapted = peft.get_peft_model(network, peft.LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    # PEFT writes the folder that the model came from, which here means nothing to anybody else.
    adapted.peft_config["default"].base_model_name_or_path = f"zeroth golden {name}"
    for parameter_name, parameter in adapted.named_parameters():
        if ".lora_" in parameter_name:
            value = torch.from_numpy((0.25 * random.standard_normal(tuple(parameter.shape))).astype(np.float32))
            parameter.data = value.to(torch.bfloat16).to(torch.float32)
    results = []
    for tokens, before in zip(sequences, plain):
        expected = log_probabilities(adapted, tokens)
        change = max(abs(a - b) for a, b in zip(expected, before))
        assert change > 0.1, f"{name}: the adapter does too little: {change}"
        print(f"{name}: {len(tokens)} tokens, changed by up to {change:.2f}")
        results.append({"tokens": tokens, "log_probs": [shortest(p) for p in expected]})
    shutil.rmtree(folder, ignore_errors=True)
    adapted.to(dtype).save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    # PEFT holds the targets as a set: their order changes from run to run.
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    write_json(folder / "golden.json", {
        "source": f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}, float32",
        "sequences": results,
    })  # fmt: skip


def main():
    default = FAMILIES.parent / "peft"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for seed, (name, options) in enumerate(ADAPTERS.items(), start=201):
        golden_adapter(name, options, seed, folder / name)


if __name__ == "__main__":
    main()
