// SPDX-License-Identifier: MIT
#include "compute_arguments.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/error.hpp>

#include "option_types.hpp"

namespace zeroth::cli {

void add_threads(CLI::App& command, unsigned& threads) {
  command.add_option("--threads", threads, "threads to compute with; default all")
      ->type_name("N")
      ->transform(whole_number<unsigned>(1, 4096));
}

void add_device(CLI::App& command, std::optional<std::uint32_t>& cuda_device) {
  auto const assign = [&cuda_device](std::string const& text) {
    constexpr std::string_view prefix = "cuda:";
    std::uint32_t number = 0;
    bool const numbered = text.starts_with(prefix) && parse_number(text.substr(prefix.size()), number);
    if (text == "cpu")
      cuda_device.reset();
    else if (text == "cuda" || (numbered && number < 1024))
      cuda_device = number;
    else
      throw CLI::ValidationError("--device", "expected cpu, cuda or cuda:N" + found(text));
  };
  command
      .add_option_function<std::string>("--device", assign,
                                        "what holds the weights and computes: the CPU, or a GPU by "
                                        "its number, in a program that is built with CUDA")
      ->type_name("cpu|cuda[:N]")
      ->default_str("cpu");
}

void add_compute(CLI::App& command, ComputeOptions& options) {
  add_device(command, options.cuda_device);
  add_choice(command, "--backend", options.backend,
             std::array{DecoderBackend::cpu, DecoderBackend::eigen, DecoderBackend::onednn},
             "what the transformer runs on: code of zeroth's own, Eigen, or Eigen with oneDNN's products");
  add_choice(command, "--dtype", options.dtype, std::array{DataType::f32, DataType::bf16, DataType::f16},
             "how matrices are held in memory");
  add_choice(command, "--compute-dtype", options.compute_dtype, std::array{DataType::f32, DataType::bf16},
             "what products with weights take, their sums being f32");
  add_threads(command, options.threads);
}

void check_device(CLI::App const& command, std::optional<std::uint32_t> cuda_device, bool has_adapter) {
  if (!cuda_device) return;
  if (has_adapter) throw InvalidArgument("--device: adapters run on the CPU alone");
  constexpr std::array<std::pair<char const*, char const*>, 3> for_the_cpu{{
      {"--backend", "expected no --device cuda beside it, which has operations of its own"},
      {"--compute-dtype", "with --device cuda, products take the type that --dtype says"},
      {"--threads", "expected no --device cuda beside it: the GPU computes"},
  }};
  for (auto const& [name, reason] : for_the_cpu) {
    CLI::Option const* const option = command.get_option_no_throw(name);
    if (option != nullptr && option->count() > 0) throw InvalidArgument(std::string(name) + ": " + reason);
  }
}

}  // namespace zeroth::cli
