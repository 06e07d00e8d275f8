// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace zeroth_test {

/// What the program ($ZEROTH_CLI) prints to a terminal that is both its standard output and its standard error.
inline std::string run_on_terminal(std::vector<std::string> const& arguments) {
  char const* const path = std::getenv("ZEROTH_CLI");
  if (path == nullptr) throw std::runtime_error("ZEROTH_CLI is not set");
  int const terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) throw std::runtime_error("no terminal");
  int const program_side = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  termios settings{};
  if (program_side < 0 || tcgetattr(program_side, &settings) != 0) throw std::runtime_error("no terminal");
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);  // no carriage return before a line end
  tcsetattr(program_side, TCSANOW, &settings);

  std::vector<std::string> words{path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t const process = fork();
  if (process < 0) throw std::runtime_error("fork failed");
  if (process == 0) {
    dup2(program_side, STDOUT_FILENO);
    dup2(program_side, STDERR_FILENO);
    execv(path, argv.data());
    _exit(127);
  }
  close(program_side);
  std::string text;
  std::array<char, 4096> part{};
  // Reading fails once the program has ended and everything is read.
  for (ssize_t count = 0; (count = read(terminal, part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(count));
  close(terminal);
  waitpid(process, nullptr, 0);
  return text;
}

}  // namespace zeroth_test
