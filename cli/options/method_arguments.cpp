// SPDX-License-Identifier: MIT
#include "method_arguments.hpp"

#include <array>
#include <cstdint>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/estimator/fzoo.hpp>

#include "option_types.hpp"

namespace zeroth::cli {

void add_method(CLI::App& command, MethodOptions& options) {
  command.option_defaults()->group("Method");
  add_choice(command, "--method", options.method, std::array{Method::s_mezo, Method::mezo, Method::r_mezo},
             "which weights a step changes: the smallest of each matrix (s-mezo, the paper), all (mezo) or a random "
             "share (r-mezo)");
  command.add_option("--sparsity", options.sparsity, "share of each matrix that is left alone (s-mezo, r-mezo)")
      ->type_name("S")
      ->check(real_number(Bounds::share))
      ->capture_default_str();
  add_choice(command, "--sampler", options.sampler,
             std::array{SamplerName::gaussian, SamplerName::rademacher, SamplerName::uniform},
             "distribution of the random directions; default gaussian, rademacher with fzoo");
  add_choice(command, "--estimator", options.estimator,
             std::array{EstimatorName::central, EstimatorName::one_sided, EstimatorName::fzoo},
             "how losses become a projected gradient");
  command.add_option("--epsilon", options.epsilon, "size of the perturbation")
      ->type_name("X")
      ->check(real_number(Bounds::positive))
      ->capture_default_str();
  command.add_option("--samples", options.samples, "random directions a step; default 1, 8 with fzoo")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1, 1024));
  command
      .add_option("--samples-per-probe", options.samples_per_probe,
                  "directions that are evaluated at once: takes memory and changes no result")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1, 1024))
      ->capture_default_str();
  command.add_option("--clip", options.clip, "bound of the projected gradient's magnitude; none by default")
      ->type_name("X")
      ->check(real_number(Bounds::positive));
  add_choice(command, "--update", options.update,
             std::array{UpdateName::sgd, UpdateName::sign_sgd, UpdateName::conservative_sgd, UpdateName::momentum,
                        UpdateName::window_momentum, UpdateName::adam, UpdateName::adamm},
             "how projected gradients change the weights");
  command
      .add_option("--beta1", options.beta_1,
                  "how the running mean or sum of gradients fades (momentum, window-momentum, adam, adamm)")
      ->type_name("X")
      ->check(real_number(Bounds::share))
      ->capture_default_str();
  command
      .add_option("--window", options.window,
                  "how many updates the running sum is over; each is made again at every step (window-momentum)")
      ->type_name("N")
      ->transform(whole_number<std::uint32_t>(1, 65536))
      ->capture_default_str();
  command.add_option("--beta2", options.beta_2, "how the running mean of squares fades (adam, adamm)")
      ->type_name("X")
      ->check(real_number(Bounds::share))
      ->capture_default_str();
  command.add_option("--adam-epsilon", options.adam_epsilon, "what is added to the root of the squares (adam, adamm)")
      ->type_name("X")
      ->check(real_number(Bounds::positive))
      ->capture_default_str();
  command.add_option("--weight-decay", options.weight_decay, "decoupled weight decay of the weights that are changed")
      ->type_name("X")
      ->check(real_number(Bounds::share))
      ->capture_default_str();
  add_choice(command, "--rounding", options.rounding,
             std::array{Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte},
             "how an updated weight is rounded into 16 bits");
}

InvalidArgument update_refusal(MethodOptions const& options) {
  return InvalidArgument("--update " + std::string(to_string(options.update)) +
                         ": expected a method whose mask does not look at the weights, mezo or r-mezo, found " +
                         std::string(to_string(options.method)));
}

void check_method(MethodOptions const& options) {
  if (options.update == UpdateName::window_momentum && options.method == Method::s_mezo) throw update_refusal(options);
  std::uint32_t const samples = *resolved(options).samples;
  if (options.estimator == EstimatorName::fzoo && samples < Fzoo::least_samples)
    throw InvalidArgument("--samples: expected at least " + std::to_string(Fzoo::least_samples) +
                          " with --estimator fzoo, found " + std::to_string(samples));
}

}  // namespace zeroth::cli
