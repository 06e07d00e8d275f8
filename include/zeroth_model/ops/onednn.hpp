// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth_model/ops/eigen/row_major_ops.hpp>
#include <zeroth_model/ops/onednn/gemm.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// DecoderOps whose products with weights are oneDNN's, in f32 or bf16, each on one thread within the executor's own
/// division of work; everything else is EigenOps', in f32.
///
/// Results have the same bits with every executor. These bits depend on oneDNN's version and the processor.
class OneDnnOps : public RowMajorOps<OneDnnGemm> {
 public:
  /// @param compute f32, or bf16: factors are rounded to bf16, sums are f32
  /// @throws InvalidArgument if oneDNN has no such products on this processor.
  explicit OneDnnOps(AnyExecutor executor = {}, DataType compute = DataType::f32)
      : RowMajorOps(executor, OneDnnGemm(compute)) {}
};

static_assert(DecoderOps<OneDnnOps>);

}  // namespace zeroth::ZEROTH_ISA::model
