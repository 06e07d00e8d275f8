// SPDX-License-Identifier: MIT
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <type_traits>
#include <variant>

#include "commands/commands.hpp"
#include "io/descriptors.hpp"
#include "io/fault_text.hpp"
#include "io/standard_streams.hpp"
#include "options/arguments.hpp"

namespace {

constexpr int error_exit_code = 2;

int fail(std::string message) {
  // What was printed earlier must come first.
  std::fflush(stdout);
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  zeroth::cli::tell("zeroth: error: " + message);
  return error_exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  if (!zeroth::cli::open_standard_descriptors()) return error_exit_code;
  // A file that grows beyond the process's limit then becomes an error that names it (EFBIG).
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    int const code = std::visit(
        [](auto const& command) {
          if constexpr (std::is_same_v<std::decay_t<decltype(command)>, zeroth::cli::HelpText>) {
            zeroth::cli::print(command.text);
            return 0;
          } else {
            return zeroth::cli::run(command);
          }
        },
        zeroth::cli::parse_arguments(argc, argv));
    zeroth::cli::finish_printing();
    return code;
  } catch (std::exception const& error) {
    return fail(zeroth::cli::fault_text(error));
  }
}
