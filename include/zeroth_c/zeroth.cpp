// SPDX-License-Identifier: MIT
// The C interface. Compile this file once, as C++20; POSIX, for the journal's file.
#include <zeroth_c/zeroth.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <zeroth/journal_file.hpp>
#include <zeroth/numeric/read_number.hpp>
#include <zeroth/zeroth.hpp>

namespace {

using namespace zeroth;

// Cut rather than allocated: there may be no memory.
thread_local char last_error[1024] = "";

void set_error(char const* text) noexcept {
  std::strncpy(last_error, text, sizeof last_error - 1);
}

/// Runs the body of a function of the interface: no exception may leave it.
template <class Body>
zeroth_status answer(Body const& body) noexcept {
  try {
    body();
    return ZEROTH_OK;
  } catch (InvalidArgument const& error) {
    set_error(error.what());
    return ZEROTH_INVALID_ARGUMENT;
  } catch (InvalidFile const& error) {
    set_error(error.what());
    return ZEROTH_INVALID_FILE;
  } catch (std::bad_alloc const&) {
    set_error("out of memory");
  } catch (std::exception const& error) {
    set_error(error.what());
  } catch (...) {
    set_error("an exception of another type");
  }
  return ZEROTH_ERROR;
}

template <class T>
T& checked(T* pointer, char const* name) {
  if (pointer == nullptr) throw InvalidArgument(std::string(name) + ": expected a pointer, found null");
  return *pointer;
}

/// The value of an enum that a caller names by its number; one that there is not stays one, to be rejected.
template <class Enum>
[[nodiscard]] Enum choice_of(std::int32_t number) {
  return static_cast<Enum>(number < 0 || number > 255 ? 255 : number);
}

enum class MaskName { smallest_magnitude, largest_magnitude, random, dense };
enum class SamplerName { gaussian, rademacher };
enum class EstimatorName { central, one_sided, fzoo };
enum class UpdateName { sgd, sign_sgd, momentum, adam };

template <class Enum>
struct Choice {
  char const* name;
  Enum value;
};

/// What zeroth_set() sets.
struct Settings {
  MaskName mask = MaskName::smallest_magnitude;
  double sparsity = 0.75;
  std::uint64_t mask_seed = 0;
  SamplerName sampler = SamplerName::gaussian;
  EstimatorName estimator = EstimatorName::central;
  UpdateName update = UpdateName::sgd;
  double weight_decay = 0;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double adam_epsilon = 1e-8;
  Options options;

  void set(std::string_view key, std::string_view value) {
    auto const choose = [&]<class Enum>(Enum& field, std::initializer_list<Choice<Enum>> choices) {
      std::string names;
      for (Choice<Enum> const& choice : choices) {
        if (value == choice.name) {
          field = choice.value;
          return;
        }
        names += (names.empty() ? "" : ", ") + std::string(choice.name);
      }
      fail(key, "one of " + names, value);
    };
    auto const number = [&]<class Number>(Number& field) {
      if (!read_number(value, field))
        fail(key, std::is_integral_v<Number> ? "a whole number that fits" : "a number", value);
    };
    if (key == "mask")
      return choose(mask, {{"smallest-magnitude", MaskName::smallest_magnitude},
                           {"largest-magnitude", MaskName::largest_magnitude},
                           {"random", MaskName::random},
                           {"dense", MaskName::dense}});
    if (key == "sampler")
      return choose(sampler, {{"gaussian", SamplerName::gaussian}, {"rademacher", SamplerName::rademacher}});
    if (key == "estimator")
      return choose(estimator, {{"central", EstimatorName::central},
                                {"one-sided", EstimatorName::one_sided},
                                {"fzoo", EstimatorName::fzoo}});
    if (key == "update")
      return choose(update, {{"sgd", UpdateName::sgd},
                             {"sign-sgd", UpdateName::sign_sgd},
                             {"momentum", UpdateName::momentum},
                             {"adam", UpdateName::adam}});
    if (key == "acceptance")
      return choose(options.acceptance,
                    {{"always", Acceptance::always}, {"lowest-of-three", Acceptance::lowest_of_three}});
    if (key == "restore")
      return choose(options.restore, {{"arithmetic", Restore::arithmetic}, {"exact", Restore::exact}});
    if (key == "rounding")
      return choose(options.rounding, {{"nearest", Rounding::nearest},
                                       {"stochastic", Rounding::stochastic},
                                       {"compensated", Rounding::compensated},
                                       {"extra-byte", Rounding::extra_byte}});
    if (key == "sparsity") return number(sparsity);
    if (key == "mask_seed") return number(mask_seed);
    if (key == "weight_decay") return number(weight_decay);
    if (key == "beta_1") return number(beta_1);
    if (key == "beta_2") return number(beta_2);
    if (key == "adam_epsilon") return number(adam_epsilon);
    if (key == "epsilon") return number(options.epsilon);
    if (key == "learning_rate") return number(options.learning_rate);
    if (key == "clip") return number(options.clip.emplace());
    if (key == "samples") return number(options.samples);
    if (key == "samples_per_probe") return number(options.samples_per_probe);
    if (key == "micro_batches") return number(options.micro_batches);
    if (key == "seed") return number(options.seed);
    throw InvalidArgument("option '" + std::string(key) + "': expected a key of zeroth.h, such as learning_rate");
  }

 private:
  [[noreturn]] static void fail(std::string_view key, std::string const& expected, std::string_view found) {
    throw InvalidArgument("option '" + std::string(key) + "': expected " + expected + ", found '" + std::string(found) +
                          "'");
  }
};

/// An optimizer of any choice of policies.
class AnyOptimizer {
 public:
  AnyOptimizer() = default;
  AnyOptimizer(AnyOptimizer const&) = delete;
  AnyOptimizer& operator=(AnyOptimizer const&) = delete;
  virtual ~AnyOptimizer() = default;

  virtual StepReport step(zeroth_loss loss, void* user) = 0;
  virtual void begin() = 0;
  [[nodiscard]] virtual std::optional<Evaluation> next() = 0;
  virtual void tell_next(double loss) = 0;
  virtual StepReport finish() = 0;
  [[nodiscard]] virtual StepPlan ask() = 0;
  [[nodiscard]] virtual Point point(StepPlan const& plan, std::uint32_t index) const = 0;
  virtual void expand(StepPlan const& plan, std::uint32_t point, std::size_t tensor, std::uint64_t first,
                      std::uint64_t count, float* out) const = 0;
  virtual std::optional<StepReport> tell(StepLosses const& losses) = 0;
  virtual void abandon() = 0;
  virtual void open_journal(std::optional<JournalFile>& file, std::string path) = 0;
  virtual void replay(Journal const& journal, ReplayOptions const& options) = 0;
  [[nodiscard]] virtual std::uint64_t steps() const = 0;
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
};

[[nodiscard]] zeroth_point c_point(Point const& point) {
  return {point.sample, point.sign, point.is_candidate ? 1 : 0};
}

template <class S, class M, class U>
class BuiltOptimizer final : public AnyOptimizer {
 public:
  BuiltOptimizer(ParameterSet const& parameters, S sampler, M mask, U update, AnyEstimator const& estimator,
                 Options const& options)
      : optimizer_(parameters, sampler, mask, CpuBackend{}, update, estimator, options) {}

  StepReport step(zeroth_loss loss, void* user) override {
    return optimizer_.step(
        [&](Evaluation const& at) { return loss(user, at.step, at.micro_batch, c_point(at.point)); });
  }
  void begin() override {
    if (open_ && !open_->step.is_finished()) throw Error("zeroth_begin: expected no step that is open, found one");
    open_.emplace(optimizer_);
  }
  [[nodiscard]] std::optional<Evaluation> next() override { return open("zeroth_next").next(); }
  void tell_next(double loss) override { open("zeroth_tell_next").tell(loss); }
  StepReport finish() override {
    StepReport report = open("zeroth_finish").finish();
    open_.reset();
    return report;
  }
  [[nodiscard]] StepPlan ask() override { return optimizer_.ask(); }
  [[nodiscard]] Point point(StepPlan const& plan, std::uint32_t index) const override {
    return optimizer_.probe(plan, index, 1).points()[0];
  }
  void expand(StepPlan const& plan, std::uint32_t point, std::size_t tensor, std::uint64_t first, std::uint64_t count,
              float* out) const override {
    ParameterSet const& parameters = optimizer_.parameters();
    if (tensor >= parameters.size())
      throw InvalidArgument("tensor: expected less than " + std::to_string(parameters.size()) + ", found " +
                            std::to_string(tensor));
    std::uint64_t const size = parameters[tensor].size();
    if (first > size || count > size - first)
      throw InvalidArgument("parameter '" + parameters[tensor].name + "': expected elements below " +
                            std::to_string(size) + ", found " + std::to_string(first) + " to " + std::to_string(first) +
                            " + " + std::to_string(count));
    optimizer_.probe(plan, point, 1).expand(tensor, first, count, {&out, 1});
  }
  std::optional<StepReport> tell(StepLosses const& losses) override { return optimizer_.tell(losses); }
  void abandon() override {
    open_.reset();
    optimizer_.abandon();
  }
  void open_journal(std::optional<JournalFile>& file, std::string path) override {
    file.emplace(std::move(path), optimizer_);
  }
  void replay(Journal const& journal, ReplayOptions const& options) override {
    zeroth::replay(journal, optimizer_, options);
  }
  [[nodiscard]] std::uint64_t steps() const override { return optimizer_.steps(); }
  [[nodiscard]] std::uint64_t bytes() const override { return optimizer_.bytes(); }

 private:
  using Optimizer = ZerothOrderOptimizer<S, M, CpuBackend, U, AnyEstimator>;

  /// A step that is built where it stays.
  struct Open {
    explicit Open(Optimizer& optimizer) : step(optimizer.begin_step()) {}
    decltype(std::declval<Optimizer&>().begin_step()) step;
  };

  [[nodiscard]] auto& open(char const* what) {
    if (!open_) throw Error(std::string(what) + ": expected zeroth_begin() before it");
    return open_->step;
  }

  Optimizer optimizer_;
  std::optional<Open> open_;  // destroyed before the optimizer
};

[[nodiscard]] AnyEstimator estimator_of(Settings const& settings) {
  if (settings.estimator == EstimatorName::one_sided) return AnyEstimator(OneSided{});
  if (settings.estimator == EstimatorName::fzoo) return AnyEstimator(Fzoo{});
  return AnyEstimator(CentralDifference{});
}

template <class Body>
auto with_sampler(Settings const& settings, Body const& body) {
  if (settings.sampler == SamplerName::rademacher) return body(Rademacher{});
  return body(Gaussian{});
}

template <class Body>
auto with_mask(Settings const& settings, Body const& body) {
  switch (settings.mask) {
    case MaskName::largest_magnitude:
      return body(LargestMagnitude{settings.sparsity});
    case MaskName::random:
      return body(RandomMask{.sparsity = settings.sparsity, .seed = settings.mask_seed});
    case MaskName::dense:
      return body(Dense{});
    case MaskName::smallest_magnitude:
      break;
  }
  return body(SmallestMagnitude{settings.sparsity});
}

template <class Body>
auto with_update(Settings const& settings, Body const& body) {
  switch (settings.update) {
    case UpdateName::sign_sgd:
      return body(SignSgd{settings.weight_decay});
    case UpdateName::momentum:
      return body(Momentum{settings.beta_1, settings.weight_decay});
    case UpdateName::adam:
      return body(Adam{settings.beta_1, settings.beta_2, settings.adam_epsilon, settings.weight_decay});
    case UpdateName::sgd:
      break;
  }
  return body(Sgd{settings.weight_decay});
}

[[nodiscard]] std::unique_ptr<AnyOptimizer> build(Settings const& settings, ParameterSet const& parameters) {
  return with_sampler(settings, [&]<class S>(S sampler) {
    return with_mask(settings, [&]<class M>(M mask) {
      return with_update(settings, [&]<class U>(U update) -> std::unique_ptr<AnyOptimizer> {
        return std::make_unique<BuiltOptimizer<S, M, U>>(parameters, sampler, mask, update, estimator_of(settings),
                                                         settings.options);
      });
    });
  });
}

[[nodiscard]] StepPlan plan_of(zeroth_plan const* plan) {
  zeroth_plan const& p = checked(plan, "plan");
  return {p.step, p.points, p.micro_batches, p.candidates != 0};
}

void fill(zeroth_report* to, StepReport const& report) {
  if (to == nullptr) return;
  *to = {.step = report.step,
         .loss = report.loss,
         .projected_gradient = report.projected_gradient,
         .learning_rate = report.learning_rate,
         .active_weights = report.active_weights,
         .skipped = report.skipped() ? 1 : 0,
         .losses_are_equal = report.losses_are_equal() ? 1 : 0};
}

}  // namespace

struct zeroth_optimizer {
  Settings settings;
  ParameterSet parameters;
  std::unique_ptr<AnyOptimizer> built;  // with the first call that needs it; then all is set
  std::optional<JournalFile> journal;

  AnyOptimizer& get() {
    if (built == nullptr) built = build(settings, parameters);
    return *built;
  }
  AnyOptimizer const& started(char const* what) const {
    if (built == nullptr) throw Error(std::string(what) + ": expected zeroth_ask() before it");
    return *built;
  }
  void require_unset(char const* what) const {
    if (built != nullptr) throw Error(std::string(what) + ": expected a call before the first step and the journal");
  }
  void note(StepReport const& report, zeroth_report* to) {
    fill(to, report);
    if (journal) journal->append(static_cast<StepRecord const&>(report));
  }
};

extern "C" {

const char* zeroth_last_error(void) {
  return last_error;
}
const char* zeroth_version(void) {
  return zeroth::version;
}

zeroth_optimizer* zeroth_create(void) {
  return new (std::nothrow) zeroth_optimizer();
}
void zeroth_destroy(zeroth_optimizer* optimizer) {
  delete optimizer;
}

zeroth_status zeroth_set(zeroth_optimizer* optimizer, const char* key, const char* value) {
  return answer([&] {
    checked(optimizer, "optimizer").require_unset("zeroth_set");
    optimizer->settings.set(&checked(key, "key"), &checked(value, "value"));
  });
}

zeroth_status zeroth_add_tensor(zeroth_optimizer* optimizer, const char* name, int32_t role, uint64_t rows,
                                uint64_t columns, int32_t dtype, void* data) {
  return answer([&] {
    checked(optimizer, "optimizer").require_unset("zeroth_add_tensor");
    optimizer->parameters.add(&checked(name, "name"), choice_of<Role>(role), {rows, columns},
                              choice_of<DataType>(dtype), data);
  });
}

zeroth_status zeroth_add_mirror(zeroth_optimizer* optimizer, const char* name, void* data) {
  return answer([&] {
    checked(optimizer, "optimizer").require_unset("zeroth_add_mirror");
    optimizer->parameters.add_mirror(&checked(name, "name"), data);
  });
}

zeroth_status zeroth_record(zeroth_optimizer* optimizer, const char* path) {
  return answer([&] {
    if (checked(optimizer, "optimizer").journal) throw Error("zeroth_record: expected one journal, found a second one");
    optimizer->get().open_journal(optimizer->journal, &checked(path, "path"));
  });
}

zeroth_status zeroth_replay(zeroth_optimizer* optimizer, const char* path, uint64_t most) {
  return answer([&] {
    Journal const journal = read_journal(&checked(path, "path"));
    checked(optimizer, "optimizer").get().replay(journal, {.until = std::min(most, journal.steps()), .source = path});
  });
}

uint64_t zeroth_steps(const zeroth_optimizer* optimizer) {
  return optimizer == nullptr || optimizer->built == nullptr ? 0 : optimizer->built->steps();
}
uint64_t zeroth_bytes(const zeroth_optimizer* optimizer) {
  return optimizer == nullptr || optimizer->built == nullptr ? 0 : optimizer->built->bytes();
}

zeroth_status zeroth_step(zeroth_optimizer* optimizer, zeroth_loss loss, void* user, zeroth_report* report) {
  return answer([&] {
    if (loss == nullptr) throw InvalidArgument("loss: expected a function, found null");
    checked(optimizer, "optimizer").note(optimizer->get().step(loss, user), report);
  });
}

zeroth_status zeroth_begin(zeroth_optimizer* optimizer) {
  return answer([&] { checked(optimizer, "optimizer").get().begin(); });
}

zeroth_status zeroth_next(zeroth_optimizer* optimizer, int32_t* has_next, zeroth_point* point, uint32_t* micro_batch) {
  return answer([&] {
    checked(has_next, "has_next") = 0;
    std::optional<Evaluation> const next = checked(optimizer, "optimizer").get().next();
    if (!next) return;
    *has_next = 1;
    if (point != nullptr) *point = c_point(next->point);
    if (micro_batch != nullptr) *micro_batch = next->micro_batch;
  });
}

zeroth_status zeroth_tell_next(zeroth_optimizer* optimizer, double loss) {
  return answer([&] { checked(optimizer, "optimizer").get().tell_next(loss); });
}

zeroth_status zeroth_finish(zeroth_optimizer* optimizer, zeroth_report* report) {
  return answer([&] { checked(optimizer, "optimizer").note(optimizer->get().finish(), report); });
}

zeroth_status zeroth_ask(zeroth_optimizer* optimizer, zeroth_plan* plan) {
  return answer([&] {
    StepPlan const asked = checked(optimizer, "optimizer").get().ask();
    checked(plan, "plan") = {asked.step, asked.points, asked.micro_batches, asked.candidates ? 1 : 0};
  });
}

zeroth_status zeroth_plan_point(const zeroth_optimizer* optimizer, const zeroth_plan* plan, uint32_t index,
                                zeroth_point* point) {
  return answer([&] {
    AnyOptimizer const& built = checked(optimizer, "optimizer").started("zeroth_plan_point");
    checked(point, "point") = c_point(built.point(plan_of(plan), index));
  });
}

zeroth_status zeroth_expand(const zeroth_optimizer* optimizer, const zeroth_plan* plan, uint32_t point, size_t tensor,
                            uint64_t first, uint64_t count, float* out) {
  return answer([&] {
    AnyOptimizer const& built = checked(optimizer, "optimizer").started("zeroth_expand");
    built.expand(plan_of(plan), point, tensor, first, count, &checked(out, "out"));
  });
}

zeroth_status zeroth_tell(zeroth_optimizer* optimizer, const zeroth_plan* plan, const double* losses, size_t count,
                          int32_t* is_taken, zeroth_report* report) {
  return answer([&] {
    StepPlan const told = plan_of(plan);
    std::size_t const expected = std::size_t{told.points} * told.micro_batches;
    if (count != expected)
      throw InvalidArgument("losses: expected " + std::to_string(expected) + ", one per point and micro-batch, found " +
                            std::to_string(count));
    std::span<double const> const values(&checked(losses, "losses"), count);
    StepLosses set(told);
    for (std::uint32_t batch = 0; batch < told.micro_batches; ++batch)
      for (std::uint32_t k = 0; k < told.points; ++k) set.set(k, batch, values[std::size_t{batch} * told.points + k]);
    std::optional<StepReport> const taken = checked(optimizer, "optimizer").get().tell(set);
    if (is_taken != nullptr) *is_taken = taken ? 1 : 0;
    if (taken) optimizer->note(*taken, report);
  });
}

zeroth_status zeroth_abandon(zeroth_optimizer* optimizer) {
  return answer([&] {
    if (checked(optimizer, "optimizer").built != nullptr) optimizer->built->abandon();
  });
}

}  // extern "C"
