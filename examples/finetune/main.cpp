// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <variant>

#include "arguments.hpp"
#include "commands.hpp"

namespace {

constexpr int error_exit_code = 2;

int fail(std::string message) {
  for (char& c : message)
    if (c == '\n' || c == '\r') c = ' ';
  std::fprintf(stderr, "zeroth: error: %s\n", message.c_str());
  return error_exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return std::visit(
        [](auto const& command) {
          if constexpr (std::is_same_v<std::decay_t<decltype(command)>, zeroth::cli::HelpText>)
            return std::fputs(command.text.c_str(), stdout) < 0 ? error_exit_code : 0;
          else
            return zeroth::cli::run(command);
        },
        zeroth::cli::parse_arguments(argc, argv));
  } catch (std::bad_alloc const&) {
    return fail("not enough memory");
  } catch (std::exception const& error) {
    return fail(error.what());
  }
}
