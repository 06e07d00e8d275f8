// SPDX-License-Identifier: MIT
// The kernels of the library's own policies; check.py inspects their machine code.
#include <zeroth/backend/cuda.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sign_sgd.hpp>

namespace zeroth::cuda::detail {

using Smallest = MagnitudeRule<true>;
using Random = RandomMask::Rule;
using Stored = BitmapRule;

#define KERNEL(...) template __global__ void run_kernel<__VA_ARGS__>(__VA_ARGS__ const);

KERNEL(ExpandKernel<Gaussian, Smallest>)
KERNEL(ExpandKernel<Rademacher, Smallest>)
KERNEL(ExpandKernel<Uniform, Dense::Rule>)
KERNEL(ExpandKernel<Gaussian, Random>)
KERNEL(ApplyKernel<Gaussian, Smallest, TermsChange>)
KERNEL(ApplyKernel<Gaussian, Stored, TermsChange>)
KERNEL(ApplyKernel<Rademacher, Smallest, TermsChange>)
KERNEL(ApplyKernel<Uniform, Random, TermsChange>)
KERNEL(ApplyKernel<Gaussian, Smallest, RuleChange<SignRule>>)
KERNEL(ApplyKernel<Gaussian, Smallest, RuleChange<MomentumRule>>)
KERNEL(ApplyKernel<Gaussian, Smallest, RuleChange<AdaMmRule>>)
KERNEL(ApplyKernel<Gaussian, Dense::Rule, RuleChange<AdamRule>>)
KERNEL(MaskWordsKernel<Smallest>)
KERNEL(MaskWordsKernel<Random>)
KERNEL(HistogramKernel)

// As used in graphs: these read their values from device memory.
#define STORED_KERNEL(...) template __global__ void run_stored_kernel<__VA_ARGS__>(__VA_ARGS__ const*);

STORED_KERNEL(StoredBytesKernel)
STORED_KERNEL(ExpandKernel<Gaussian, Smallest>)
STORED_KERNEL(ApplyKernel<Gaussian, Smallest, TermsChange>)

}  // namespace zeroth::cuda::detail
