// SPDX-License-Identifier: MIT
// Tunes a model inside LibTorch, in place: an ordinary torch::nn::Module whose weights the optimizer moves where they
// lie.
//   libtorch_in_place MODEL.gguf REVIEWS.txt JOURNAL

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <zeroth/check_engine.hpp>
#include <zeroth_adapters/libtorch.hpp>

#include "reviews.hpp"

namespace {

using torch::Tensor;
using zeroth::model::DecoderConfig;

torch::nn::Linear linear(std::int64_t in, std::int64_t out) {
  return torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(false));
}

struct RmsNorm : torch::nn::Module {
  explicit RmsNorm(DecoderConfig const& c)
      : epsilon(c.norm_epsilon), weight(register_parameter("weight", torch::ones(c.hidden))) {}

  Tensor forward(Tensor const& x) const {
    return x * torch::rsqrt(x.square().mean(-1, /*keepdim=*/true) + epsilon) * weight;
  }

  double epsilon;
  Tensor weight;
};

/// A layer of Llama: attention with grouped queries and rotary embeddings, then an MLP with a gate (SwiGLU).
struct Layer : torch::nn::Module {
  explicit Layer(DecoderConfig const& config)
      : c(config),
        attention_norm(register_module("attn_norm", std::make_shared<RmsNorm>(c))),
        query(register_module("attn_q", linear(c.hidden, c.heads * c.head_dim))),
        key(register_module("attn_k", linear(c.hidden, c.kv_heads * c.head_dim))),
        value(register_module("attn_v", linear(c.hidden, c.kv_heads * c.head_dim))),
        attention_out(register_module("attn_output", linear(c.heads * c.head_dim, c.hidden))),
        mlp_norm(register_module("ffn_norm", std::make_shared<RmsNorm>(c))),
        gate(register_module("ffn_gate", linear(c.hidden, c.feed_forward))),
        up(register_module("ffn_up", linear(c.hidden, c.feed_forward))),
        down(register_module("ffn_down", linear(c.feed_forward, c.hidden))) {}

  /// @param x [sequences, positions, hidden]
  /// @param angles [positions, 1, head_dim / 2]
  Tensor forward(Tensor x, Tensor const& angles, Tensor const& causal) {
    x = x + attention(attention_norm->forward(x), angles, causal);
    Tensor const h = mlp_norm->forward(x);
    return x + down->forward(torch::silu(gate->forward(h)) * up->forward(h));
  }

  Tensor attention(Tensor const& h, Tensor const& angles, Tensor const& causal) {
    auto const heads_of = [&](Tensor const& t, std::int64_t heads) {
      return t.view({h.size(0), h.size(1), heads, c.head_dim});
    };
    std::int64_t const group = c.heads / c.kv_heads;
    Tensor const q = rotate(heads_of(query->forward(h), c.heads), angles).transpose(1, 2);
    Tensor const k = rotate(heads_of(key->forward(h), c.kv_heads), angles).repeat_interleave(group, 2).transpose(1, 2);
    Tensor const v = heads_of(value->forward(h), c.kv_heads).repeat_interleave(group, 2).transpose(1, 2);
    Tensor const scores = torch::matmul(q, k.transpose(2, 3)) / std::sqrt(c.head_dim) + causal;
    return attention_out->forward(torch::matmul(scores.softmax(-1), v).transpose(1, 2).flatten(2));
  }

  /// Turns each pair of adjacent elements, as GGUF orders them.
  static Tensor rotate(Tensor const& t, Tensor const& angles) {
    Tensor const pairs = t.unflatten(-1, std::vector<std::int64_t>{-1, 2});
    Tensor const a = pairs.select(-1, 0);
    Tensor const b = pairs.select(-1, 1);
    Tensor const cosine = angles.cos();
    Tensor const sine = angles.sin();
    return torch::stack({a * cosine - b * sine, a * sine + b * cosine}, -1).flatten(-2);
  }

  DecoderConfig c;
  std::shared_ptr<RmsNorm> attention_norm;
  torch::nn::Linear query, key, value, attention_out;
  std::shared_ptr<RmsNorm> mlp_norm;
  torch::nn::Linear gate, up, down;
};

/// The decoder, with the names that GGUF has. Its head is the embedding.
struct Transformer : torch::nn::Module {
  explicit Transformer(DecoderConfig const& config)
      : c(config), embedding(register_module("token_embd", torch::nn::Embedding(c.vocabulary, c.hidden))) {
    register_module("blk", layers);
    for (std::uint32_t i = 0; i < c.layers; ++i) layers->push_back(Layer(c));
    norm = register_module("output_norm", std::make_shared<RmsNorm>(c));
  }

  /// The logits of the token after each sequence: [sequences, vocabulary].
  /// @param tokens [sequences, positions]
  Tensor forward(Tensor const& tokens) {
    std::int64_t const positions = tokens.size(1);
    Tensor const exponents = torch::arange(std::int64_t{c.head_dim} / 2, torch::kDouble) * (-2.0 / c.head_dim);
    Tensor const frequencies = torch::pow(c.rope_theta, exponents);
    Tensor const angles =
        torch::outer(torch::arange(positions, torch::kDouble), frequencies).unsqueeze(1).to(torch::kFloat);
    Tensor const causal = torch::full({positions, positions}, -INFINITY).triu(1);
    Tensor x = embedding->forward(tokens);
    for (auto const& layer : *layers) x = layer->as<Layer>()->forward(x, angles, causal);
    return torch::linear(norm->forward(x.select(1, positions - 1)), embedding->weight);
  }

  DecoderConfig c;
  torch::nn::Embedding embedding;
  torch::nn::ModuleList layers;
  std::shared_ptr<RmsNorm> norm;
};

/// The transformer of a GGUF file. LibTorch reads the weights where our reader has put them.
std::shared_ptr<Transformer> transformer_over(zeroth::model::DecoderWeights const& weights) {
  auto const module = std::make_shared<Transformer>(weights.config());
  auto tensors = module->named_parameters();
  for (zeroth::Parameter const& p : weights.parameters())
    tensors[p.name].set_data(torch::from_blob(p.data, tensors[p.name].sizes()));
  return module;
}

int run(std::string const& model_path, std::string const& reviews, std::string const& journal_path) {
  zeroth::OpenMpExecutor const executor;
  at::set_num_threads(static_cast<int>(executor.concurrency()));  // 1 is the default of Debian's
  zeroth::model::Model const ours = zeroth::model::open_model(model_path);
  std::vector<zeroth::model::Example> const examples = engines::review_batch(ours.tokenizer, reviews);
  std::filesystem::remove(journal_path);

  std::shared_ptr<Transformer> const module = transformer_over(ours.weights);
  std::vector<Tensor> sequences;
  std::vector<std::int64_t> labels;
  for (zeroth::model::Example const& e : examples) {
    sequences.push_back(torch::tensor(e.prompt, torch::kLong));
    labels.push_back(static_cast<std::int64_t>(e.label));
  }
  Tensor const tokens = torch::stack(sequences);
  Tensor const right = torch::tensor(labels);
  Tensor const candidates = torch::tensor({examples[0].candidates[0][0], examples[0].candidates[1][0]}, torch::kLong);
  auto const loss = [&] {
    return torch::cross_entropy_loss(module->forward(tokens).index_select(1, candidates), right);
  };
  double const before_ours = engines::loss_of_ours(ours, examples, executor);

  // glue: begin
  zeroth::adapters::TorchWeights const weights(*module);
  auto objective = weights.objective(loss);
  zeroth::EngineFindings const findings =
      zeroth::check_engine(weights.parameters(), objective, {.most_tensors = 8}, zeroth::CpuBackend{executor});
  if (!findings.ok()) throw std::runtime_error(findings.faults[0]);

  auto make_optimizer = [&](zeroth::ParameterSet const& parameters) {
    return zeroth::ZerothOrderOptimizer(
        parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{.sparsity = 0.75}, zeroth::CpuBackend{executor},
        {.epsilon = 1e-3, .learning_rate = 5e-6, .seed = 1, .restore = zeroth::Restore::exact});
  };
  auto optimizer = make_optimizer(weights.parameters());
  zeroth::JournalFile journal(journal_path, optimizer);
  auto step = [&] { journal.append(optimizer.step(objective)); };
  // glue: end

  double const before = objective();
  engines::StepTimes times;
  for (int i = 0; i < engines::steps; ++i) {
    times.measure(step, [&] { (void)objective(); });
    if ((i + 1) % 10 == 0) std::printf("step %d  loss %.4f\n", i + 1, objective());
  }
  std::printf("our transformer on the same memory: loss %.6f\n", engines::loss_of_ours(ours, examples, executor));
  print(engines::Result{
      .engine = "LibTorch",
      .version = TORCH_VERSION,
      .mode = "in place, exact",
      .loss_before = before,
      .loss_ours = before_ours,
      .loss_after = objective(),
      .seconds_a_step = times.step(),
      .share_outside = times.share_outside(2),
      .memory = optimizer.bytes(),
      .replayed = engines::is_replayed(journal_path, weights.parameters(),
                                       zeroth::model::open_model(model_path).weights.parameters(), make_optimizer)});
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: libtorch_in_place MODEL.gguf REVIEWS.txt JOURNAL\n");
    return 2;
  }
  try {
    return run(arguments[1], arguments[2], arguments[3]);
  } catch (std::exception const& error) {
    std::fprintf(stderr, "libtorch_in_place: %s\n", error.what());
    return 1;
  }
}
