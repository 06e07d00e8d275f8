// SPDX-License-Identifier: MIT
// The optimizer on weights that the host cannot access: a run leaves the same bits, of the weights and of its journal,
// as in host memory, and each replays the other's journal.
#include <zeroth/optimizer.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/journal.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth/update/window_momentum.hpp>

#include "backend_model.hpp"
#include "catch.hpp"
#include "objectives.hpp"

#if defined(__CUDACC__)
#include <zeroth/backend/cuda.hpp>
#else
#include "guarded_stream.hpp"
#endif

namespace {

using zeroth::Acceptance;
using zeroth::DataType;
using zeroth::Gaussian;
using zeroth::Rademacher;
using zeroth::RandomMask;
using zeroth::Restore;
using zeroth::Rounding;
using zeroth::SmallestMagnitude;
using zeroth_test::BackendModel;

#if defined(__CUDACC__)
using OwnMemory = zeroth::CudaBackend;
OwnMemory own_memory() {
  return OwnMemory{};
}
#else
using OwnMemory = zeroth_test::GuardedCudaBackend;
OwnMemory own_memory() {
  return OwnMemory{zeroth_test::GuardedStream{}};
}
#endif

enum class Form { fused, in_place };

constexpr std::uint64_t steps = 12;
constexpr std::uint64_t skipped_step = 3;    // the loss is infinite
constexpr std::uint64_t abandoned_step = 5;  // the objective throws, then is called again

/// The results of a run.
struct Result {
  std::vector<std::byte> weights;
  std::vector<std::byte> journal;
  std::uint64_t remainder_bytes = 0;
  bool operator==(Result const&) const = default;
};

/// One way to tune the model.
template <class S, class M, class U, class E>
struct Setup {
  S sampler;
  M mask;
  U update;
  E estimator;
  Form form;
  DataType dtype;
  zeroth::Options options;

  template <class B>
  [[nodiscard]] auto optimizer(BackendModel<B> const& model) const {
    return zeroth::ZerothOrderOptimizer(model.parameters(), sampler, mask, model.backend(), update, estimator, options);
  }

  template <class B>
  [[nodiscard]] Result run(B const& backend) const {
    BackendModel<B> const model(backend, dtype);
    auto tuned = optimizer(model);
    zeroth::Journal journal(zeroth::make_journal_header(tuned));
    bool fails = true;
    auto loss = [&](std::span<float const> theta) {
      if (tuned.steps() == abandoned_step && fails) {
        fails = false;
        throw std::runtime_error("from the objective");
      }
      return tuned.steps() == skipped_step ? std::numeric_limits<double>::infinity() : zeroth_test::loss(theta);
    };
    while (tuned.steps() < steps) {
      try {
        journal.append(form == Form::fused ? tuned.step(model.fused(loss)) : tuned.step(model.in_place(loss)));
      } catch (std::runtime_error const&) {
      }
    }
    return {model.bytes(), journal.bytes(), tuned.bytes()};
  }

  /// The weights that replaying a run's journal gives.
  template <class B>
  [[nodiscard]] std::vector<std::byte> replay(B const& backend, std::vector<std::byte> const& journal) const {
    BackendModel<B> const model(backend, dtype);
    auto tuned = optimizer(model);
    zeroth::replay(zeroth::Journal::read(journal, "journal"), tuned);
    return model.bytes();
  }
};

template <class S, class M, class U, class E>
void check_setup(Setup<S, M, U, E> const& setup) {
  INFO(std::string(setup.sampler.name()) << ", " << std::string(setup.mask.name()) << ", "
                                         << std::string(setup.update.name()) << ", "
                                         << std::string(to_string(setup.dtype)) << ", "
                                         << std::string(to_string(setup.options.rounding)) << ", "
                                         << (setup.form == Form::fused ? "fused" : "in place"));
  zeroth::ReferenceBackend const reference;
  OwnMemory const own = own_memory();
  Result const expected = setup.run(reference);
  REQUIRE((expected.weights != BackendModel(reference, setup.dtype).bytes()));
  Result const found = setup.run(own);
  // In parentheses, otherwise Catch2 prints all bytes.
  CHECK((found.journal == expected.journal));
  CHECK((found.weights == expected.weights));
  CHECK(found.remainder_bytes == expected.remainder_bytes);
  CHECK((setup.replay(own, expected.journal) == expected.weights));
  CHECK((setup.replay(reference, found.journal) == expected.weights));
}

zeroth::Options options(Rounding rounding = Rounding::extra_byte) {
  return {.learning_rate = 3e-3, .samples = 2, .seed = 8, .rounding = rounding};
}

/// f32 in each form.
template <class S, class M, class U, class E = zeroth::CentralDifference>
void check_f32(S sampler, M mask, U update, E estimator = {}, Acceptance acceptance = Acceptance::always) {
  Setup<S, M, U, E> setup{sampler, mask, update, estimator, Form::fused, DataType::f32, options()};
  setup.options.acceptance = acceptance;
  check_setup(setup);
  setup.form = Form::in_place;
  setup.options.restore = Restore::exact;
  check_setup(setup);
  setup.options.restore = Restore::arithmetic;
  if (setup.options.acceptance == zeroth::Acceptance::always) check_setup(setup);
}

/// 16 bits in each form.
template <class S, class M, class U>
void check_16_bits(S sampler, M mask, U update, DataType dtype, Rounding rounding,
                   Acceptance acceptance = Acceptance::always) {
  Setup<S, M, U, zeroth::CentralDifference> setup{sampler, mask, update, {}, Form::fused, dtype, options(rounding)};
  setup.options.acceptance = acceptance;
  check_setup(setup);
  setup.form = Form::in_place;
  setup.options.restore = Restore::exact;
  check_setup(setup);
}

template <class S, class M, class U>
void check_all(S sampler, M mask, U update, Acceptance acceptance = Acceptance::always) {
  check_f32(sampler, mask, update, zeroth::CentralDifference{}, acceptance);
  for (DataType dtype : {DataType::bf16, DataType::f16})
    for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte})
      check_16_bits(sampler, mask, update, dtype, rounding, acceptance);
}

}  // namespace

TEST_CASE("a Sparse MeZO run over a backend's own memory has the reference's bits") {
  check_all(Gaussian{}, SmallestMagnitude{0.75}, zeroth::Sgd{0.01});
}

TEST_CASE("a run with Rademacher directions and a random mask over a backend's own memory has the reference's bits") {
  check_all(Rademacher{}, RandomMask{0.5, 9}, zeroth::Sgd{});
}

TEST_CASE("updates with state over a backend's own memory have the reference's bits") {
  check_f32(Gaussian{}, SmallestMagnitude{0.5}, zeroth::Adam{});
  check_16_bits(Gaussian{}, SmallestMagnitude{0.5}, zeroth::Adam{}, DataType::bf16, Rounding::stochastic);
}

TEST_CASE("an update over the noise of the last ones over a backend's own memory has the reference's bits") {
  check_f32(Gaussian{}, zeroth::Dense{}, zeroth::WindowMomentum{.window = 4});
}

TEST_CASE("steps that take the lowest of three over a backend's own memory have the reference's bits") {
  check_all(Gaussian{}, SmallestMagnitude{0.75}, zeroth::Sgd{}, Acceptance::lowest_of_three);
}

#if !defined(__CUDACC__)  // nvcc is slow on each

TEST_CASE("each mask over a backend's own memory has the reference's bits") {
  zeroth::StoredMask const stored{{{"blk.0.w", std::vector<std::uint64_t>(5, 0x9249'2492'4924'9249U)},
                                   {"blk.1.w", std::vector<std::uint64_t>(9, 0x0ff0'1234'5678'9abcU)}}};
  auto check = [](auto mask) {
    check_f32(Gaussian{}, mask, zeroth::Sgd{});
    check_16_bits(Gaussian{}, mask, zeroth::Sgd{}, DataType::bf16, Rounding::extra_byte);
    check_16_bits(Gaussian{}, mask, zeroth::Sgd{}, DataType::f16, Rounding::compensated);
  };
  check(zeroth::Dense{});
  check(SmallestMagnitude{.sparsity = 0.75, .scope = zeroth::Scope::global, .refresh_every = 4});
  check(zeroth::LargestMagnitude{0.5});
  check(stored);
  check(both(stored, SmallestMagnitude{0.5}));
  check(either(stored, RandomMask{0.5, 9}));
  check(zeroth::Filtered{SmallestMagnitude{0.5}, zeroth::TensorFilter{.exclude = {"blk.0.*"}}});
}

TEST_CASE("each update and estimator over a backend's own memory has the reference's bits") {
  check_all(Rademacher{}, zeroth::Dense{}, zeroth::SignSgd{});
  check_f32(Gaussian{}, RandomMask{0.5, 9}, zeroth::AdaMm{});
  check_f32(Gaussian{}, SmallestMagnitude{0.5}, zeroth::Sgd{}, zeroth::OneSided{});
  check_f32(Rademacher{}, SmallestMagnitude{0.5}, zeroth::Sgd{}, zeroth::Fzoo{});
}

TEST_CASE("the memory of a guarded stream is out of the host's reach, and the host's of its kernels'") {
  OwnMemory const own = own_memory();
  std::shared_ptr<std::byte> const memory = own.allocate(4);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK((::write(ends[1], memory.get(), 4) == -1 && errno == EFAULT));
  ::close(ends[0]);
  ::close(ends[1]);

#if !defined(__clang__)
  std::vector<float> weights(200);
  zeroth::Parameter const tensor{"w", zeroth::Role::matrix, {1, 200}, DataType::f32, weights.data()};
  CHECK_THROWS_WITH(own.apply(tensor, nullptr, zeroth::TensorMask<zeroth::Dense::Rule>{},
                              zeroth::NoiseField<Gaussian>{}, zeroth::ElementwisePass{}),
                    "apply of 'w': the kernel is given an address of the host's");
#endif
}

#endif
