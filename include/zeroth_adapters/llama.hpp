// SPDX-License-Identifier: MIT
#pragma once

#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml.h>
#include <gguf.h>
#include <llama-cpp.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/error.hpp>
#include <zeroth/executor.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/memory_access.hpp>

// Tunes a model inside llama.cpp, where its weights lie: LlamaWeights are the parameters, LlamaLoss is the loss of a
// batch, and LlamaLayerwiseProbe makes the fused form of it. Uses only what llama.h, ggml.h, ggml-backend.h and gguf.h
// declare, and their pointers of llama-cpp.h and ggml-cpp.h. Compiled against llama.cpp 0.5.0.
namespace zeroth::ZEROTH_ISA::adapters {

namespace detail {

/// The tensor whose memory a tensor reads: its own, or that of the one it is a view of.
[[nodiscard]] inline ggml_tensor const* owner_of(ggml_tensor const* tensor) noexcept {
  return tensor->view_src != nullptr ? tensor->view_src : tensor;
}

/// Whether a tensor in memory is a weight of a model: learned, and no table of rotary factors or of integers.
[[nodiscard]] inline bool is_llama_weight(ggml_tensor const* tensor) {
  std::string_view const name = tensor->name;
  bool const is_number = tensor->type != GGML_TYPE_I8 && tensor->type != GGML_TYPE_I16 &&
                         tensor->type != GGML_TYPE_I32 && tensor->type != GGML_TYPE_I64;
  return ggml_backend_buffer_get_usage(tensor->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS && is_number &&
         name.find("rope_freqs") == name.npos && name.find("rope_factors") == name.npos;
}

/// Whether a tensor in memory is a matrix of an adapter: its buffer is not marked as weights, as a model's is.
[[nodiscard]] inline bool is_llama_adapter(ggml_tensor const* tensor) {
  std::string_view const name = tensor->name;
  return ggml_backend_buffer_get_usage(tensor->buffer) == GGML_BACKEND_BUFFER_USAGE_ANY &&
         (name.ends_with(".lora_a") || name.ends_with(".lora_b"));
}

/// Collects the tensors in memory that the nodes of a graph read.
struct LlamaLeaves {
  bool (*is_wanted)(ggml_tensor const*);
  std::vector<ggml_tensor*> found{};

  static bool on_node(ggml_tensor* node, bool ask, void* leaves) {
    return !ask || static_cast<LlamaLeaves*>(leaves)->add_sources(*node);
  }

  /// Returns false: nothing is looked at between nodes, so that they run together.
  bool add_sources(ggml_tensor const& node) {
    for (ggml_tensor* source : node.src) {
      if (source != nullptr && source->view_src != nullptr) source = source->view_src;
      if (source != nullptr && source->op == GGML_OP_NONE && source->buffer != nullptr && is_wanted(source) &&
          std::find(found.begin(), found.end(), source) == found.end())
        found.push_back(source);
    }
    return false;
  }
};

/// Those that an evaluation of one token reads, in that order.
[[nodiscard]] inline std::vector<ggml_tensor*> llama_leaves(llama_model* model, llama_adapter_lora* adapter,
                                                            bool (*is_wanted)(ggml_tensor const*)) {
  if (llama_model_has_encoder(model))
    throw InvalidArgument("llama.cpp: expected a model that only decodes, found one with an encoder");
  LlamaLeaves leaves{is_wanted};
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 32;
  params.n_batch = 1;
  params.n_ubatch = 1;
  params.op_offload = false;
  params.cb_eval = &LlamaLeaves::on_node;
  params.cb_eval_user_data = &leaves;
  llama_context_ptr const context(llama_init_from_model(model, params));
  if (context == nullptr) throw Error("llama.cpp: expected a context of the model, found none; see its log");
  float scale = 1;
  if (adapter != nullptr && llama_set_adapters_lora(context.get(), &adapter, 1, &scale) != 0)
    throw InvalidArgument("llama.cpp: expected an adapter of this model; see its log");
  llama_token token = 0;
  if (int const status = llama_decode(context.get(), llama_batch_get_one(&token, 1)); status != 0)
    throw Error("llama.cpp: llama_decode of one token returned " + std::to_string(status));
  if (leaves.found.empty())
    throw InvalidArgument("llama.cpp: expected an evaluation that reads weights to tune, found none");
  return std::move(leaves.found);
}

}  // namespace detail

/// The weights of a model, or of a LoRA adapter, in llama.cpp's own memory as the parameters of an optimizer. Must not
/// outlive the model or adapter.
///
/// The tensors are those that an evaluation of one token reads: llama.cpp says so itself, through `cb_eval`. So rotary
/// factors (which it computes with, but does not learn) are left out, and a head that is tied to the embedding is one
/// parameter; if llama.cpp holds a second copy of it, that is its mirror. Names are those of the file.
class LlamaWeights {
 public:
  /// The weights of a model.
  ///
  /// Load it so that it keeps them as they are: llama_model_params with load_mode = LLAMA_LOAD_MODE_NONE,
  /// use_extra_bufts = false and n_gpu_layers = 0.
  /// @param file the GGUF file it was loaded from: parameters are then in the file's order, not in that of evaluation
  /// @throws InvalidArgument naming the tensor and what to set, if it is quantised, repacked, on a device, or in memory
  ///   that cannot be written
  [[nodiscard]] static LlamaWeights of_model(llama_model* model, std::string const& file = {}) {
    return LlamaWeights(detail::llama_leaves(model, nullptr, &detail::is_llama_weight), file);
  }

  /// The matrices NAME.lora_a and NAME.lora_b of an adapter, over a model of any type, which nothing writes.
  /// @param file the GGUF file of the adapter, as above
  /// @throws InvalidArgument as above
  [[nodiscard]] static LlamaWeights of_adapter(llama_model* model, llama_adapter_lora* adapter,
                                               std::string const& file = {}) {
    return LlamaWeights(detail::llama_leaves(model, adapter, &detail::is_llama_adapter), file);
  }

  /// The weights among these tensors, for callers that know them.
  /// @throws InvalidArgument as above
  explicit LlamaWeights(std::span<ggml_tensor* const> tensors) {
    for (ggml_tensor* tensor : tensors) add(tensor);
  }

  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

  /// The parameter that a tensor holds, or none.
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  [[nodiscard]] std::size_t find(ggml_tensor const* tensor) const noexcept {
    auto const found = index_of_.find(tensor);
    return found == index_of_.end() ? none : found->second;
  }

 private:
  LlamaWeights(std::vector<ggml_tensor*> tensors, std::string const& file) {
    if (!file.empty()) sort_as_in(file, tensors);
    for (ggml_tensor* tensor : tensors) add(tensor);
  }

  static void sort_as_in(std::string const& path, std::vector<ggml_tensor*>& tensors) {
    gguf_context_ptr const file(gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}));
    if (file == nullptr) throw InvalidFile(path + ": expected a GGUF file that can be read");
    for (ggml_tensor const* tensor : tensors)
      if (gguf_find_tensor(file.get(), tensor->name) < 0)
        throw InvalidFile(path + ": expected the model's tensor '" + tensor->name + "', found none of that name");
    std::stable_sort(tensors.begin(), tensors.end(), [&](ggml_tensor const* one, ggml_tensor const* other) {
      return gguf_find_tensor(file.get(), one->name) < gguf_find_tensor(file.get(), other->name);
    });
  }

  void add(ggml_tensor* tensor) {
    std::string name = tensor->name;
    Shape const shape{static_cast<std::uint64_t>(ggml_nrows(tensor)), static_cast<std::uint64_t>(tensor->ne[0])};
    DataType const dtype = checked_type(tensor);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].name != name) continue;
      if (parameters_[i].shape != shape || parameters_[i].dtype != dtype)
        refuse(tensor, "two of that name and of the same shape and type", "others");
      index_of_.emplace(tensor, i);
      if (tensor->data != parameters_[i].data) parameters_.add_mirror(name, tensor->data);
      return;
    }
    Role role = shape.rows == 1 ? Role::vector : Role::matrix;
    if (name == "token_embd.weight" || name == "position_embd.weight") role = Role::embedding;
    if (name == "output.weight") role = Role::head;
    index_of_.emplace(tensor, parameters_.add(std::move(name), role, shape, dtype, tensor->data));
  }

  [[noreturn]] static void refuse(ggml_tensor const* tensor, std::string const& expected, std::string const& found) {
    throw InvalidArgument("llama.cpp: tensor '" + std::string(tensor->name) + "': expected " + expected + ", found " +
                          found);
  }

  /// Its type, if it is one that can be tuned where it lies.
  static DataType checked_type(ggml_tensor const* tensor) {
    ggml_backend_buffer_type_t const kind = ggml_backend_buffer_get_type(tensor->buffer);
    std::string const where = std::string("it in ") + ggml_backend_buft_name(kind);
    if (ggml_is_quantized(tensor->type))
      refuse(tensor, "f32, f16 or bf16",
             std::string(ggml_type_name(tensor->type)) +
                 ": tune a LoRA adapter over it (LlamaWeights::of_adapter), or load a float file (zeroth export)");
    if (tensor->type != GGML_TYPE_F32 && tensor->type != GGML_TYPE_F16 && tensor->type != GGML_TYPE_BF16)
      refuse(tensor, "f32, f16 or bf16", ggml_type_name(tensor->type));
    if (!ggml_backend_buffer_is_host(tensor->buffer)) {
      ggml_backend_dev_t const device = ggml_backend_buft_get_device(kind);
      if (device != nullptr && ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU)
        refuse(tensor, "host memory", where + ": load the model with n_gpu_layers = 0");
      refuse(tensor, "the weights as in the file", where + ", repacked: load the model with use_extra_bufts = false");
    }
    // An adapter's buffer has the name of the model's, but is memory of its own.
    MemoryAccess const access = memory_access(tensor->data, ggml_nbytes(tensor));
    bool const is_named_so = ggml_backend_buffer_get_usage(tensor->buffer) == GGML_BACKEND_BUFFER_USAGE_WEIGHTS &&
                             where.find("_Mapped") != where.npos;
    if (access == MemoryAccess::read_only || (access == MemoryAccess::unknown && is_named_so))
      refuse(tensor, "memory that can be written",
             where +
                 ", a mapping of the file: load the model with load_mode = LLAMA_LOAD_MODE_NONE (before llama.cpp "
                 "0.5: use_mmap = false)");
    if (!ggml_is_contiguous(tensor)) refuse(tensor, "contiguous rows", "strides");
    if (tensor->type == GGML_TYPE_F32) return DataType::f32;
    return tensor->type == GGML_TYPE_F16 ? DataType::f16 : DataType::bf16;
  }

  ParameterSet parameters_;
  std::unordered_map<ggml_tensor const*, std::size_t> index_of_;
};

/// A token that should follow a position of a sequence.
struct LlamaTarget {
  std::int32_t position = 0;  ///< counted from 0
  llama_token token = 0;
};

/// Tokens, and what is scored of them.
struct LlamaSequence {
  std::vector<llama_token> tokens{};
  std::vector<LlamaTarget> targets{};
};

/// The loss of a batch at the weights as they stand: the cross entropy of all targets, mean over them, as
/// model::CandidateScorer computes it.
///
/// Each evaluation starts with an empty cache, so that nothing of another point or batch is left. Sequences are
/// evaluated together, as many as n_batch and n_seq_max of the context allow.
class LlamaLoss {
 public:
  /// @param context borrowed; a cache in f32 (type_k, type_v) keeps its rounding out of small differences of losses
  /// @param candidates the tokens among which a target is to be chosen; empty: all of the vocabulary
  /// @param executor runs the sums over the vocabulary
  explicit LlamaLoss(llama_context* context, std::vector<llama_token> candidates = {}, AnyExecutor executor = {})
      : context_(context),
        candidates_(std::move(candidates)),
        executor_(executor),
        vocabulary_(llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)))),
        batch_(llama_batch_init(static_cast<std::int32_t>(llama_n_batch(context)), 0, 1)) {
    for (llama_token const token : candidates_) require_token(token, "candidates");
  }

  LlamaLoss(LlamaLoss const&) = delete;
  LlamaLoss& operator=(LlamaLoss const&) = delete;
  ~LlamaLoss() { llama_batch_free(batch_); }

  /// @throws InvalidArgument naming the sequence, if a token, target or length is not one that the context can take
  /// @throws Error if llama_decode fails
  [[nodiscard]] double operator()(std::span<LlamaSequence const> sequences) {
    double total = 0;
    std::size_t targets = 0;
    for (std::size_t next = 0; next < sequences.size();) {
      std::size_t const first = next;
      batch_.n_tokens = 0;
      scored_.clear();
      do {
        pack(sequences[next], next, next - first);
        ++next;
      } while (next < sequences.size() && has_room(next - first, sequences[next]));
      total += evaluate();
      targets += scored_.size();
    }
    if (targets == 0) throw InvalidArgument("llama.cpp: expected a batch with at least one target, found none");
    // What is not finite would stay in cells that are masked but multiplied.
    is_finite_ = is_finite(total);
    return total / static_cast<double>(targets);
  }

 private:
  struct Scored {
    std::int32_t row;
    llama_token token;
    double loss;
  };

  [[nodiscard]] bool has_room(std::size_t sequences, LlamaSequence const& sequence) const {
    return sequences < llama_n_seq_max(context_) &&
           static_cast<std::size_t>(batch_.n_tokens) + sequence.tokens.size() <= llama_n_batch(context_);
  }

  void pack(LlamaSequence const& sequence, std::size_t number, std::size_t id) {
    std::string const name = "sequence " + std::to_string(number);
    std::size_t const length = sequence.tokens.size();
    std::size_t const longest = std::min(llama_n_batch(context_), llama_n_ctx_seq(context_));
    if (length == 0 || length > longest)
      throw InvalidArgument("llama.cpp: " + name + ": expected 1 to " + std::to_string(longest) +
                            " tokens (n_batch and n_ctx of the context), found " + std::to_string(length));
    std::int32_t const begin = batch_.n_tokens;
    for (std::size_t i = 0; i < length; ++i) {
      auto const at = static_cast<std::size_t>(begin) + i;
      require_token(sequence.tokens[i], name);
      batch_.token[at] = sequence.tokens[i];
      batch_.pos[at] = static_cast<llama_pos>(i);
      batch_.n_seq_id[at] = 1;
      batch_.seq_id[at][0] = static_cast<llama_seq_id>(id);
      batch_.logits[at] = 0;
    }
    batch_.n_tokens += static_cast<std::int32_t>(length);
    for (LlamaTarget const& target : sequence.targets) {
      require_token(target.token, name);
      if (target.position < 0 || static_cast<std::size_t>(target.position) >= length)
        throw InvalidArgument("llama.cpp: " + name + ": expected targets at positions below " + std::to_string(length) +
                              ", found one at " + std::to_string(target.position));
      if (!candidates_.empty() && std::find(candidates_.begin(), candidates_.end(), target.token) == candidates_.end())
        throw InvalidArgument("llama.cpp: " + name + ": expected targets among the candidates, found token " +
                              std::to_string(target.token));
      batch_.logits[begin + target.position] = 1;
      scored_.push_back({begin + target.position, target.token, 0});
    }
  }

  void require_token(llama_token token, std::string const& name) const {
    if (token < 0 || token >= vocabulary_)
      throw InvalidArgument("llama.cpp: " + name + ": expected tokens below " + std::to_string(vocabulary_) +
                            ", found " + std::to_string(token));
  }

  /// The sum of the losses of the packed targets.
  double evaluate() {
    llama_memory_clear(llama_get_memory(context_), !is_finite_);
    if (int const status = llama_decode(context_, batch_); status != 0)
      throw Error("llama.cpp: llama_decode returned " + std::to_string(status) + "; see its log");
    std::vector<float const*> logits;
    for (Scored const& target : scored_) logits.push_back(llama_get_logits_ith(context_, target.row));
    auto score = [&](std::size_t i) { scored_[i].loss = cross_entropy(logits[i], scored_[i].token); };
    executor_.parallel_for(scored_.size(), score);
    double sum = 0;
    for (Scored const& target : scored_) sum += target.loss;
    return sum;
  }

  [[nodiscard]] double cross_entropy(float const* logits, llama_token token) const {
    auto const count = static_cast<std::size_t>(candidates_.empty() ? vocabulary_ : 0) + candidates_.size();
    auto logit = [&](std::size_t i) {
      return static_cast<double>(logits[candidates_.empty() ? i : static_cast<std::size_t>(candidates_[i])]);
    };
    double best = logit(0);
    for (std::size_t i = 1; i < count; ++i) best = std::max(best, logit(i));
    double partition = 0;
    for (std::size_t i = 0; i < count; ++i) partition += std::exp(logit(i) - best);
    return best + std::log(partition) - static_cast<double>(logits[token]);
  }

  llama_context* context_;
  std::vector<llama_token> candidates_;
  AnyExecutor executor_;
  std::int32_t vocabulary_;
  llama_batch batch_;
  std::vector<Scored> scored_;
  bool is_finite_ = true;
};

/// Evaluates a loss at a point of a probe without writing the weights. Just before a node of the graph runs that reads
/// a tuned tensor, the tensor is exchanged for a stand-in with the perturbed weights, and put back after. The model can
/// serve other contexts meanwhile.
///
///     zeroth::StepLosses losses(optimizer.ask());
///     for (std::uint32_t k = 0; k < losses.plan().points; ++k)
///       losses.set(k, 0, layerwise.at(optimizer.probe(losses.plan(), k, 1), [&] { return loss(batch); }));
///     optimizer.tell(losses);
///
/// 16-bit weights are rounded to nearest, as in the in-place form: with Restore::exact both give the same bits. Holds
/// the memory of one tensor, the largest. Of an embedding only the rows that are looked up are computed.
class LlamaLayerwiseProbe {
 public:
  /// @param weights must outlive this
  explicit LlamaLayerwiseProbe(LlamaWeights const& weights, AnyExecutor executor = {})
      : weights_(&weights), executor_(executor), is_read_(weights.parameters().size()) {}

  LlamaLayerwiseProbe(LlamaLayerwiseProbe const&) = delete;
  LlamaLayerwiseProbe& operator=(LlamaLayerwiseProbe const&) = delete;

  /// Makes a context that is created with `params` call this, which must outlive it. Sets op_offload = false: otherwise
  /// a device would read copies of the tensors.
  void attach(llama_context_params& params) noexcept {
    params.cb_eval = [](ggml_tensor* node, bool ask, void* self) {
      return static_cast<LlamaLayerwiseProbe*>(self)->on_node(node, ask);
    };
    params.cb_eval_user_data = this;
    params.op_offload = false;
  }

  /// The loss at the probe's only point.
  /// @param loss `() -> double`, evaluated in a context that is attached
  /// @throws InvalidArgument if the probe has more points
  /// @throws Error naming a tensor that no node of the evaluation read
  template <class Loss>
  [[nodiscard]] double at(AnyProbe const& probe, Loss&& loss) {
    if (probe.points().size() != 1)
      throw InvalidArgument("LlamaLayerwiseProbe: expected a probe of one point, optimizer.probe(plan, k, 1), found " +
                            std::to_string(probe.points().size()));
    is_read_.assign(is_read_.size(), false);
    Active const active(*this, probe);
    double const result = loss();
    if (failure_) std::rethrow_exception(failure_);
    for (std::size_t i = 0; i < is_read_.size(); ++i)
      if (!is_read_[i])
        throw Error("llama.cpp: tensor '" + weights_->parameters()[i].name +
                    "': expected a node of the evaluation that reads it, found none: attach() the context, set the "
                    "adapter on it, and keep its operations on the CPU");
    return result;
  }

  /// Bytes that it holds.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    std::uint64_t sum = 0;
    for (StandIn const& stand_in : stand_ins_) sum += stand_in.lines.size() * sizeof(Line);
    return sum;
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  struct StandIn {
    ggml_tensor* node = nullptr;    ///< null: not in use
    ggml_tensor* source = nullptr;  ///< whose place it takes
    ggml_tensor tensor{};
    std::vector<Line> lines{};
  };

  /// While it lives, evaluations see the probe's weights.
  struct Active {
    Active(LlamaLayerwiseProbe& layerwise, AnyProbe const& probe) : owner(layerwise) {
      owner.probe_ = &probe;
      owner.failure_ = nullptr;
    }
    Active(Active const&) = delete;
    Active& operator=(Active const&) = delete;
    ~Active() {
      owner.put_back();  // llama_decode may have failed
      owner.probe_ = nullptr;
    }
    LlamaLayerwiseProbe& owner;
  };

  /// ggml asks before each node whether it should stop after it; those before it have not run either, but none of them
  /// reads a tuned tensor.
  bool on_node(ggml_tensor* node, bool ask) noexcept {
    if (!ask) {
      put_back();
      return true;
    }
    if (probe_ == nullptr || failure_) return false;
    bool has_exchanged = false;
    try {
      for (std::size_t i = 0; i < GGML_MAX_SRC && node->src[i] != nullptr; ++i) {
        std::size_t const parameter = weights_->find(detail::owner_of(node->src[i]));
        if (parameter == LlamaWeights::none || is_view(node)) continue;
        exchange(node, i, parameter);
        has_exchanged = true;
      }
    } catch (...) {  // must not pass through ggml
      failure_ = std::current_exception();
    }
    return has_exchanged;
  }

  /// Whether a node computes nothing: what reads it is asked about later.
  static bool is_view(ggml_tensor const* node) noexcept {
    return node->op == GGML_OP_VIEW || node->op == GGML_OP_RESHAPE || node->op == GGML_OP_PERMUTE ||
           node->op == GGML_OP_TRANSPOSE;
  }

  void exchange(ggml_tensor* node, std::size_t i, std::size_t parameter) {
    ggml_tensor* const source = node->src[i];
    StandIn& stand_in = stand_ins_[i];
    std::size_t const lines = (ggml_nbytes(detail::owner_of(source)) + sizeof(Line) - 1) / sizeof(Line);
    if (stand_in.lines.size() < lines) stand_in.lines = std::vector<Line>(lines);
    auto* const panel = reinterpret_cast<std::byte*>(stand_in.lines.data());
    ggml_tensor const* const rows = node->op == GGML_OP_GET_ROWS && i == 0 ? node->src[1] : nullptr;
    if (rows != nullptr && rows->op == GGML_OP_NONE && rows->type == GGML_TYPE_I32 && ggml_is_contiguous(rows) &&
        source->view_src == nullptr)
      expand_rows(parameter, rows, panel);
    else
      expand(parameter, panel);
    stand_in.node = node;
    stand_in.source = source;
    stand_in.tensor = *source;
    stand_in.tensor.data = panel + source->view_offs;
    node->src[i] = &stand_in.tensor;
    is_read_[parameter] = true;
  }

  void put_back() noexcept {
    for (std::size_t i = 0; i < stand_ins_.size(); ++i)
      if (ggml_tensor* const node = std::exchange(stand_ins_[i].node, nullptr); node != nullptr)
        node->src[i] = stand_ins_[i].source;
  }

  void expand(std::size_t parameter, std::byte* panel) const {
    std::uint64_t const size = weights_->parameters()[parameter].size();
    auto piece = [&](std::size_t i) {
      std::uint64_t const first = i * piece_size;
      write(parameter, first, std::min(piece_size, size - first), panel);
    };
    executor_.parallel_for(static_cast<std::size_t>((size + piece_size - 1) / piece_size), piece);
  }

  /// Only the rows that are looked up.
  void expand_rows(std::size_t parameter, ggml_tensor const* rows, std::byte* panel) {
    auto const* const begin = static_cast<std::int32_t const*>(rows->data);
    rows_.assign(begin, begin + ggml_nelements(rows));
    std::sort(rows_.begin(), rows_.end());
    rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
    std::uint64_t const columns = weights_->parameters()[parameter].shape.columns;
    auto row = [&](std::size_t i) { write(parameter, static_cast<std::uint64_t>(rows_[i]) * columns, columns, panel); };
    executor_.parallel_for(rows_.size(), row);
  }

  /// Elements [first, first + count) of a tensor at the probe's point, to their place in `panel`.
  void write(std::size_t parameter, std::uint64_t first, std::uint64_t count, std::byte* panel) const {
    DataType const dtype = weights_->parameters()[parameter].dtype;
    std::array<float, piece_size> values;
    for (std::uint64_t const end = first + count; first < end; first += piece_size) {
      std::uint64_t const size = std::min(piece_size, end - first);
      std::byte* const to = panel + first * size_of(dtype);
      float* const floats = dtype == DataType::f32 ? reinterpret_cast<float*>(to) : values.data();
      probe_->expand(parameter, first, size, {&floats, 1});
      if (dtype != DataType::f32) narrow_values(dtype, {floats, static_cast<std::size_t>(size)}, to);
    }
  }

  static constexpr std::uint64_t piece_size = std::uint64_t{1} << 14;

  LlamaWeights const* weights_;
  AnyExecutor executor_;
  AnyProbe const* probe_ = nullptr;
  std::array<StandIn, GGML_MAX_SRC> stand_ins_{};
  std::vector<bool> is_read_;
  std::vector<std::int32_t> rows_;
  std::exception_ptr failure_;
};

}  // namespace zeroth::ZEROTH_ISA::adapters
