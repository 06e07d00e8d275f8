// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <dnnl.hpp>

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
#ifndef _OPENMP
#error "This oneDNN runs on OpenMP: compile with it (CMake's zeroth::onednn does) so that each product takes one thread"
#endif
#include <omp.h>
#elif DNNL_CPU_RUNTIME != DNNL_RUNTIME_SEQ
#error "oneDNN has to be a build for OpenMP or for one thread: only the executor may create threads"
#endif

#include <zeroth/error.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA::model::onednn {

/// While it lives, oneDNN uses only this thread, so how it divides a product depends only on shapes.
class OneThread {
 public:
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
  OneThread() : threads_(omp_get_max_threads()) {
    omp_set_num_threads(1);
  }
  ~OneThread() {
    omp_set_num_threads(threads_);
  }

 private:
  int threads_;

 public:
#else
  OneThread() = default;
#endif
  OneThread(OneThread const&) = delete;
  OneThread& operator=(OneThread const&) = delete;
};

/// Y [rows x columns] = X [rows x inner] W [columns x inner]^T, all row-major; Y's rows lie `stride` floats apart.
struct MatmulShape {
  std::size_t rows;
  std::size_t inner;
  std::size_t columns;
  std::size_t stride;
  bool operator==(MatmulShape const&) const = default;
};

/// oneDNN's products with f32 results, built once per shape. X and W are f32 or bf16; sums are f32.
class Matmuls {
 public:
  /// @throws InvalidArgument if oneDNN has no such product on this processor.
  explicit Matmuls(DataType type) : type_(type), engine_(dnnl::engine::kind::cpu, 0) {
    if (type == DataType::f16) throw InvalidArgument("oneDNN products: expected f32 or bf16, got f16");
    static_cast<void>(find({16, 16, 16, 16}));
  }

  /// Computes one product, using only this thread; any number of threads may do so at once.
  /// @param reserve returns memory for that many floats on a 64-byte boundary
  template <class Reserve>
  void run(MatmulShape const& shape, void const* x, void const* w, float* y, Reserve const& reserve) {
    OneThread const one;
    Entry entry = find(shape);
    auto memory = [&](dnnl::memory::desc const& description, void const* data) {
      return dnnl::memory(description, engine_, const_cast<void*>(data));
    };
    std::size_t const floats = (entry.workspace.get_size() + sizeof(float) - 1) / sizeof(float);
    dnnl::stream stream(engine_);
    entry.product.execute(stream, {{DNNL_ARG_SRC, memory(entry.x, x)},
                                   {DNNL_ARG_WEIGHTS, memory(entry.w, w)},
                                   {DNNL_ARG_DST, memory(entry.y, y)},
                                   {DNNL_ARG_SCRATCHPAD, memory(entry.workspace, reserve(floats))}});
    stream.wait();
  }

 private:
  static constexpr std::size_t most_entries = 64;

  struct Entry {
    MatmulShape shape;
    dnnl::memory::desc x, w, y, workspace;
    dnnl::matmul product;
  };

  [[nodiscard]] Entry make(MatmulShape const& shape) const {
    using Dimensions = dnnl::memory::dims;
    auto const stored = type_ == DataType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
    auto const rows = static_cast<dnnl::memory::dim>(shape.rows);
    auto const inner = static_cast<dnnl::memory::dim>(shape.inner);
    auto const columns = static_cast<dnnl::memory::dim>(shape.columns);
    dnnl::memory::desc const x({rows, inner}, stored, Dimensions{inner, 1});
    dnnl::memory::desc const w({inner, columns}, stored, Dimensions{1, inner});
    dnnl::memory::desc const y({rows, columns}, dnnl::memory::data_type::f32,
                               Dimensions{static_cast<dnnl::memory::dim>(shape.stride), 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    OneThread const one;
    try {
#if DNNL_VERSION_MAJOR >= 3
      dnnl::matmul::primitive_desc const description(engine_, x, w, y, attributes);
#else
      dnnl::matmul::primitive_desc const description(dnnl::matmul::desc(x, w, y), attributes, engine_);
#endif
      return {shape, x, w, y, description.scratchpad_desc(), dnnl::matmul(description)};
    } catch (dnnl::error const& error) {
      throw InvalidArgument("oneDNN has no product of " + std::string(to_string(type_)) +
                            " numbers on this processor: " + error.what());
    }
  }

  /// The product for a shape; handles are counted references.
  [[nodiscard]] Entry find(MatmulShape const& shape) {
    std::lock_guard const lock(*mutex_);
    for (Entry const& entry : entries_)
      if (entry.shape == shape) return entry;
    if (entries_.size() < most_entries) return entries_.emplace_back(make(shape));
    Entry& oldest = entries_[next_++ % most_entries];
    return oldest = make(shape);
  }

  DataType type_;
  dnnl::engine engine_;
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::vector<Entry> entries_;
  std::size_t next_ = 0;
};

}  // namespace zeroth::ZEROTH_ISA::model::onednn
