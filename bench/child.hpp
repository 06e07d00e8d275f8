// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <zeroth/error.hpp>

namespace zeroth_bench {

/// Runs `measure` in a process of its own, so that its peak memory is its own too, and returns its result.
///
/// Call it before this process has threads or much memory: the child starts as a copy of it.
/// @throws zeroth::Error if the child cannot be started or does not finish.
[[nodiscard]] inline nlohmann::json in_child(std::function<nlohmann::json()> const& measure) {
  auto fail = [](char const* what) { throw zeroth::Error(std::string(what) + ": " + std::strerror(errno)); };
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) fail("pipe");
  pid_t const child = ::fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    ::close(pipe_ends[0]);
    int status = 0;
    std::string text;
    try {
      text = measure().dump();
    } catch (std::exception const& error) {
      text = nlohmann::json(error.what()).dump();
      status = 2;
    }
    for (std::size_t done = 0; done < text.size();) {
      ssize_t const written = ::write(pipe_ends[1], text.data() + done, text.size() - done);
      if (written < 0) ::_exit(3);
      done += static_cast<std::size_t>(written);
    }
    ::_exit(status);
  }
  ::close(pipe_ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  ::close(pipe_ends[0]);
  int status = 0;
  if (::waitpid(child, &status, 0) < 0) fail("waitpid");
  if (!WIFEXITED(status) || text.empty()) throw zeroth::Error("the measuring process was ended from outside");
  auto const result = nlohmann::json::parse(text);
  if (WEXITSTATUS(status) != 0) throw zeroth::Error(result.get<std::string>());
  return result;
}

}  // namespace zeroth_bench
