// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "files.hpp"

namespace zeroth_test {

/// The result of running a program.
struct Outcome {
  int exit_code = -1;  ///< -1 if a signal ended it
  std::string out;
  std::string error;
};

/// The program zeroth as a child process. Its path is $ZEROTH_CLI.
class Program {
 public:
  struct Limits {
    std::optional<rlim_t> file_bytes;  ///< limit on the size of any file: a write then fails as on a full disk
  };

  explicit Program(std::vector<std::string> const& arguments) : Program(arguments, Limits{}) {}

  /// @param script if not empty, a shell runs it instead of the program: `"$0" "$@"` runs the program
  Program(std::vector<std::string> const& arguments, Limits limits, std::string const& script = {}) {
    char const* const path = std::getenv("ZEROTH_CLI");
    if (path == nullptr) throw std::runtime_error("ZEROTH_CLI is not set");
    std::vector<std::string> words{path};
    if (!script.empty()) words = {"/bin/sh", "-c", script, path};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::string const out = (directory_.path() / "out").string();
    std::string const error = (directory_.path() / "error").string();
    process_ = fork();
    if (process_ < 0) throw std::runtime_error("fork failed");
    if (process_ == 0) {
      redirect(out, STDOUT_FILENO);
      redirect(error, STDERR_FILENO);
      // Starts it as a shell would, whatever the tests run under.
      std::signal(SIGPIPE, SIG_DFL);
      std::signal(SIGXFSZ, SIG_DFL);
      if (limits.file_bytes) {
        rlimit const limit{*limits.file_bytes, *limits.file_bytes};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
      }
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  Program(Program const&) = delete;
  Program& operator=(Program const&) = delete;
  ~Program() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  /// Sends it a signal, unless it is known to have ended.
  void signal(int number) const {
    if (process_ > 0) kill(process_, number);
  }

  [[nodiscard]] bool running() {
    if (process_ <= 0) return false;
    return waitpid(process_, &status_, WNOHANG) == 0 || (process_ = 0, false);
  }

  Outcome wait() {
    if (process_ > 0) waitpid(process_, &status_, 0);
    process_ = 0;
    return {WIFEXITED(status_) ? WEXITSTATUS(status_) : -1, read_file(directory_.path() / "out"),
            read_file(directory_.path() / "error")};
  }

 private:
  static void redirect(std::string const& path, int descriptor) {
    int const file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, descriptor) < 0) _exit(126);
    close(file);
  }

  TemporaryDirectory directory_;
  pid_t process_ = 0;
  int status_ = 0;
};

inline Outcome run_program(std::vector<std::string> const& arguments, Program::Limits limits = {}) {
  return Program(arguments, limits).wait();
}

/// As above, inside a shell: `"$0" "$@"` in the script runs the program with the arguments.
inline Outcome run_in_shell(std::string const& script, std::vector<std::string> const& arguments) {
  return Program(arguments, {}, script).wait();
}

}  // namespace zeroth_test
