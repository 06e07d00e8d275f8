// SPDX-License-Identifier: MIT
// expect: the third policy is no Backend
// Backend, requirement 2: a source has the tensor's own type, not always f32.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

#ifdef ZEROTH_FIXED
using Source = void const*;
#else
using Source = float const*;
#endif

struct NearMiss : zeroth::ReferenceBackend {
  template <class S, class Rule>
  std::uint64_t apply(zeroth::Parameter const& tensor, Source source, zeroth::TensorMask<Rule> const& mask,
                      zeroth::NoiseField<S> const& noise, zeroth::ElementwisePass const& pass) const {
    return ReferenceBackend::apply(tensor, source, mask, noise, pass);
  }
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, NearMiss>;
