// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>
#include <torch/types.h>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/parameters.hpp>

#if defined(__CUDACC__)
#include <c10/cuda/CUDAStream.h>

#include <zeroth/backend/cuda.hpp>
#endif

namespace zeroth::ZEROTH_ISA::adapters {

/// A tensor to tune. Without a role, one of at most one dimension is a vector and any other a matrix.
struct TorchTensor {
  std::string name;
  torch::Tensor tensor;
  std::optional<Role> role = std::nullopt;
};

/// Tensors of LibTorch to tune where they lie, in one device's memory.
///
///     zeroth::adapters::TorchWeights const weights(*module);
///     zeroth::ZerothOrderOptimizer optimizer(weights.parameters(), ...);
///     optimizer.step(weights.objective([&] { return loss_of(module->forward(batch)); }));
///
/// The optimizer writes to addresses, of which LibTorch knows nothing:
///
/// - `module.to(...)` gives a module other memory. check() notices that; the optimizer must then be made anew. Until
///   this object is destroyed, the memory that it was made over stays alive, so that no step writes to freed memory.
/// - A graph that autograd recorded before a step must not be used after it, as after any in-place operation.
///   objective() raises the tensors' version counters, so that `backward` through such a graph throws.
///
/// Whether a tensor requires a gradient makes no difference to a step, which records no graph.
class TorchWeights {
 public:
  /// The parameters of a module that require a gradient, under the names that `named_parameters()` gives; the weights
  /// of its torch::nn::Embedding have Role::embedding. A tensor that is registered twice, as a tied head, is taken
  /// once, under its first name.
  /// @param module outlives this object
  /// @param device where all tensors must lie
  /// @throws InvalidArgument if no parameter requires a gradient, and as the next constructor does
  explicit TorchWeights(torch::nn::Module const& module, torch::Device device = torch::kCPU)
      : module_(&module), device_(device) {
    for (auto const& item : module.named_parameters())
      if (item.value().requires_grad()) add({item.key(), item.value(), role_of(module, item.key())});
    if (parameters_.empty())
      throw InvalidArgument(
          "module: expected a parameter that requires a gradient, found none: call "
          "requires_grad_(true) on those to tune, or hand over a list of tensors");
  }

  /// The tensors of a list, whether they require a gradient or not; for instance those of a TorchScript module. Two of
  /// the same memory and shape are taken once, under the first name.
  /// @throws InvalidArgument naming the tensor, if it is not defined or not a leaf of autograd, has another type than
  ///   f32, f16 or bf16, lies on another device, is not dense and contiguous, or overlaps another in part; and as
  ///   ParameterSet::add does
  explicit TorchWeights(std::vector<TorchTensor> const& tensors, torch::Device device = torch::kCPU) : device_(device) {
    for (TorchTensor const& tensor : tensors) add(tensor);
  }

  [[nodiscard]] ParameterSet const& parameters() const noexcept { return parameters_; }

  /// Where the tensors lie.
  [[nodiscard]] torch::Device device() const noexcept { return device_; }

  /// Checks that every tensor still has the memory, type and shape that it had, in the module too. To be called before
  /// each step, which objective() does; looks at no values.
  /// @throws Error naming the first tensor that has not
  void check() const {
    auto const now =
        module_ == nullptr ? torch::OrderedDict<std::string, torch::Tensor>() : module_->named_parameters();
    for (Entry const& entry : entries_) {
      torch::Tensor const* const found = module_ == nullptr ? &entry.tensor : now.find(entry.name);
      std::string const where = "tensor '" + entry.name + "': expected ";
      if (found == nullptr || !found->defined())
        throw Error(where +
                    "it in the module, as when its address was taken, found none of that name: take the "
                    "addresses anew and make a new optimizer");
      if (found->has_storage() && found->data_ptr() == entry.data && found->scalar_type() == entry.type &&
          found->sizes() == entry.sizes && found->is_contiguous())
        continue;
      throw Error(where + text_of(entry.type, entry.sizes, entry.data) + ", as when its address was taken, found " +
                  (found->has_storage() ? text_of(found->scalar_type(), found->sizes(), found->data_ptr())
                                        : std::string("no memory")) +
                  ": convert and move the module (module.to) first, then take the addresses and make the optimizer");
    }
  }

  /// An objective for steps in place: calls check(), then `loss` without recording a graph.
  /// @param loss `() -> torch::Tensor` of one element, or `() -> double`; with an Evaluation as its parameter if it
  ///   takes one
  template <class Loss>
  [[nodiscard]] auto objective(Loss loss) const {
    return [this, loss = std::move(loss)](Evaluation const& at = {}) mutable -> double {
      check();
      for (Entry const& entry : entries_)
        if (!entry.tensor.is_inference()) entry.tensor.unsafeGetTensorImpl()->bump_version();
      torch::NoGradGuard const no_graph;
      if constexpr (std::is_invocable_v<Loss&, Evaluation const&>)
        return value_of(loss(at));
      else
        return value_of(loss());
    };
  }

 private:
  struct Entry {
    std::string name;
    torch::Tensor tensor;
    torch::Storage storage;  // keeps the memory alive if the tensor is given another
    void* data;
    torch::ScalarType type;
    std::vector<std::int64_t> sizes;
  };

  void add(TorchTensor const& named) {
    torch::Tensor const& tensor = named.tensor;
    auto const refuse = [&](std::string const& expected, std::string const& found, std::string const& advice) {
      throw InvalidArgument("tensor '" + named.name + "': expected " + expected + ", found " + found + ": " + advice);
    };
    if (!tensor.defined()) refuse("a tensor", "an undefined one", "leave it out");
    if (!tensor.is_leaf())
      refuse("a leaf of autograd", "the result of an operation", "it is computed anew from other tensors; tune those");
    std::optional<DataType> const type = type_of(tensor.scalar_type());
    if (!type)
      refuse("Float, Half or BFloat16", torch::toString(tensor.scalar_type()),
             "convert it with .to(torch::kFloat), or leave it out");
    if (tensor.layout() != torch::kStrided)
      refuse("a dense tensor", "layout " + text_of(tensor.layout()), "convert it with .to_dense()");
    if (tensor.device().type() != device_.type() || (device_.has_index() && tensor.device() != device_))
      refuse("it on device " + device_.str(), tensor.device().str(),
             "move the module with .to(...) first, or name its device here");
    if (!device_.has_index() && tensor.device().has_index()) device_ = tensor.device();  // all on that of the first
    if (!tensor.is_contiguous())
      refuse("contiguous rows", "sizes " + text_of(tensor.sizes()) + " with strides " + text_of(tensor.strides()),
             "replace it by .contiguous()");
    Entry const entry{named.name,          tensor, tensor.storage(), tensor.data_ptr(), tensor.scalar_type(),
                      tensor.sizes().vec()};
    bool is_tied = false;
    for (Entry const& other : entries_)
      is_tied = is_tied || (other.data == entry.data && other.type == entry.type && other.sizes == entry.sizes);
    if (!is_tied)
      parameters_.add(named.name, named.role.value_or(tensor.dim() <= 1 ? Role::vector : Role::matrix),
                      shape_of(tensor), *type, entry.data);
    entries_.push_back(entry);
  }

  /// [n] is {1, n}; the dimensions after the first are one: [out, in, height, width] is {out, in height width}.
  [[nodiscard]] static Shape shape_of(torch::Tensor const& tensor) {
    auto const size = static_cast<std::uint64_t>(tensor.numel());
    if (tensor.dim() <= 1 || size == 0) return {1, size};
    auto const rows = static_cast<std::uint64_t>(tensor.size(0));
    return {rows, size / rows};
  }

  /// Role::embedding for the weights of an embedding.
  [[nodiscard]] static std::optional<Role> role_of(torch::nn::Module const& module, std::string const& name) {
    std::size_t const dot = name.find('.');
    if (dot == std::string::npos)
      return module.as<torch::nn::EmbeddingImpl>() != nullptr ? std::optional(Role::embedding) : std::nullopt;
    for (auto const& child : module.named_children())
      if (child.key() == name.substr(0, dot)) return role_of(*child.value(), name.substr(dot + 1));
    return std::nullopt;
  }

  [[nodiscard]] static std::optional<DataType> type_of(torch::ScalarType type) noexcept {
    if (type == torch::kFloat) return DataType::f32;
    if (type == torch::kHalf) return DataType::f16;
    if (type == torch::kBFloat16) return DataType::bf16;
    return std::nullopt;
  }

  [[nodiscard]] static double value_of(double loss) noexcept { return loss; }
  [[nodiscard]] static double value_of(torch::Tensor const& loss) {
    if (!loss.defined() || loss.numel() != 1)
      throw InvalidArgument("loss: expected a tensor of one element, found " +
                            (loss.defined() ? "sizes " + text_of(loss.sizes()) : std::string("an undefined one")) +
                            ": return its mean or sum");
    return loss.item<double>();
  }

  [[nodiscard]] static std::string text_of(torch::ArrayRef<std::int64_t> sizes) {
    std::string text = "[";
    for (std::int64_t const size : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
    return text + "]";
  }
  [[nodiscard]] static std::string text_of(torch::ScalarType type, torch::ArrayRef<std::int64_t> sizes,
                                           void const* data) {
    return std::string(torch::toString(type)) + " " + text_of(sizes) + " at " +
           hexadecimal(reinterpret_cast<std::uintptr_t>(data));
  }
  [[nodiscard]] static std::string text_of(torch::Layout layout) {
    return layout == torch::kSparse ? "Sparse" : std::to_string(static_cast<int>(layout));
  }

  torch::nn::Module const* module_ = nullptr;
  torch::Device device_;
  std::vector<Entry> entries_;
  ParameterSet parameters_;
};

#if defined(__CUDACC__)
/// A backend for tensors in a GPU's memory, on the stream that is LibTorch's current one now; evaluate losses on that
/// stream too. Compiled by nvcc, and not yet run on a GPU.
[[nodiscard]] inline CudaBackend torch_cuda_backend(TorchWeights const& weights) {
  c10::cuda::CUDAStream const stream = c10::cuda::getCurrentCUDAStream(weights.device().index());
  return CudaBackend(stream.device_index(), stream.stream());
}
#endif

}  // namespace zeroth::ZEROTH_ISA::adapters
