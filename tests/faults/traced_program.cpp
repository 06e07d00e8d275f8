// SPDX-License-Identifier: MIT
#include "traced_program.hpp"

#if defined(__linux__) && defined(__x86_64__)

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>
#include <stdexcept>

namespace zeroth_test {
namespace {

namespace fs = std::filesystem;

/// Which operand of a call names its file.
enum class Operand : std::uint8_t { path, path_at, descriptor, two_paths, two_paths_at };

struct KnownCall {
  long number;
  std::string_view name;
  Operand operand;
  std::size_t descriptor_at = 0;  ///< argument that is the descriptor
};

constexpr KnownCall known_calls[] = {
    {SYS_open, "open", Operand::path},
    {SYS_openat, "open", Operand::path_at},
    {SYS_read, "read", Operand::descriptor},
    {SYS_pread64, "read", Operand::descriptor},
    {SYS_write, "write", Operand::descriptor},
    {SYS_pwrite64, "write", Operand::descriptor},
    {SYS_writev, "write", Operand::descriptor},
    {SYS_fsync, "fsync", Operand::descriptor},
    {SYS_fdatasync, "fsync", Operand::descriptor},
    {SYS_ftruncate, "truncate", Operand::descriptor},
    {SYS_truncate, "truncate", Operand::path},
    {SYS_mmap, "mmap", Operand::descriptor, 4},
    {SYS_flock, "flock", Operand::descriptor},
    {SYS_mkdir, "mkdir", Operand::path},
    {SYS_mkdirat, "mkdir", Operand::path_at},
    {SYS_unlink, "unlink", Operand::path},
    {SYS_unlinkat, "unlink", Operand::path_at},
    {SYS_rmdir, "unlink", Operand::path},
    {SYS_rename, "rename", Operand::two_paths},
    {SYS_renameat, "rename", Operand::two_paths_at},
    {SYS_renameat2, "rename", Operand::two_paths_at},
    {SYS_linkat, "link", Operand::two_paths_at},
};

/// Makes this process stop, once traced, before each of the known calls.
void stop_at_known_calls() {
  constexpr auto count = static_cast<std::uint8_t>(std::size(known_calls));
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));  // the call's number
  for (std::uint8_t i = 0; i < count; ++i)
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(known_calls[i].number),
                               static_cast<std::uint8_t>(count - i), 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  sock_fprog const filter{static_cast<unsigned short>(program.size()), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
    _exit(125);
}

std::string target_of(fs::path const& link) {
  std::error_code ignored;
  return fs::read_symlink(link, ignored).string();
}

std::string text_at(pid_t process, std::uint64_t address) {
  std::string text;
  for (;;) {
    char block[256];
    std::size_t const to_page_end = 4096 - (address + text.size()) % 4096;  // the next page may not be there
    iovec local{block, std::min(sizeof block, to_page_end)};
    iovec remote{reinterpret_cast<void*>(address + text.size()), local.iov_len};  // NOLINT
    ssize_t const count = process_vm_readv(process, &local, 1, &remote, 1, 0);
    if (count <= 0) return text;
    std::string_view const part(block, static_cast<std::size_t>(count));
    std::size_t const end = part.find('\0');
    text += part.substr(0, end);
    if (end != std::string_view::npos) return text;
  }
}

std::string absolute(pid_t process, std::uint64_t directory, std::string const& path) {
  if (path.starts_with('/')) return path;
  fs::path const process_folder = "/proc/" + std::to_string(process);
  bool const is_working_directory = static_cast<int>(directory) == AT_FDCWD;
  std::string const base =
      target_of(is_working_directory ? process_folder / "cwd"
                                     : process_folder / "fd" / std::to_string(static_cast<int>(directory)));
  return path.empty() ? base : base + "/" + path;
}

FileCall describe(pid_t process, KnownCall const& known, user_regs_struct const& registers) {
  FileCall call{.name = known.name,
                .path = {},
                .other_path = {},
                .arguments = {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9},
                .at_place = known.number == SYS_pread64 || known.number == SYS_pwrite64,
                .process = process};
  auto const& a = call.arguments;
  constexpr auto here = static_cast<std::uint64_t>(AT_FDCWD);
  auto const name = [&](std::uint64_t directory, std::uint64_t text) {
    return fs::path(absolute(process, directory, text_at(process, text))).lexically_normal().string();
  };
  switch (known.operand) {
    case Operand::path:
      call.path = name(here, a[0]);
      break;
    case Operand::path_at:
      call.path = name(a[0], a[1]);
      // As open() has them: flags second.
      if (known.number == SYS_openat) call.arguments = {a[1], a[2], a[3], 0, 0, 0};
      break;
    case Operand::descriptor:
      call.path = target_of("/proc/" + std::to_string(process) + "/fd/" +
                            std::to_string(static_cast<int>(a[known.descriptor_at])));
      break;
    case Operand::two_paths:
      call.path = name(here, a[0]);
      call.other_path = name(here, a[1]);
      break;
    case Operand::two_paths_at:
      call.path = name(a[0], a[1]);
      call.other_path = name(a[2], a[3]);
      break;
  }
  return call;
}

/// Lets the call at which the process has stopped fail, transfer less, or pass.
void carry_out(pid_t process, Verdict const& verdict, user_regs_struct registers) {
  if (verdict.error != 0) {
    registers.orig_rax = static_cast<unsigned long long>(-1);  // no call
    registers.rax = static_cast<unsigned long long>(-verdict.error);
  } else if (verdict.is_short && registers.rdx > 1) {
    registers.rdx /= 2;
  } else {
    return;
  }
  ptrace(PTRACE_SETREGS, process, nullptr, &registers);
}

class Tracer {
 public:
  Tracer(fs::path const& watched, std::function<Verdict(FileCall const&)> const& judge)
      : watched_(watched.string()), judge_(judge) {}

  /// Runs a stopped child to its end and returns its wait status.
  int trace(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) throw std::runtime_error("cannot trace");
    ptrace(PTRACE_SETOPTIONS, child, nullptr,
           PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK);
    ptrace(PTRACE_CONT, child, nullptr, nullptr);
    for (;;) {
      pid_t const stopped = waitpid(-1, &status, __WALL);
      if (stopped < 0) throw std::runtime_error("lost the traced program");
      if (!WIFSTOPPED(status)) {
        if (stopped == child) return status;
        continue;  // a thread's end
      }
      int const event = status >> 16;
      if (event == PTRACE_EVENT_SECCOMP) look_at_call(child, stopped);
      int const signal = WSTOPSIG(status);
      bool const passes = event == 0 && signal != SIGTRAP && signal != SIGSTOP;
      ptrace(PTRACE_CONT, stopped, nullptr, passes ? static_cast<long>(signal) : 0L);
    }
  }

 private:
  void look_at_call(pid_t program, pid_t process) {
    user_regs_struct registers{};
    ptrace(PTRACE_GETREGS, process, nullptr, &registers);
    for (KnownCall const& known : known_calls) {
      if (known.number != static_cast<long>(registers.orig_rax)) continue;
      FileCall const call = describe(process, known, registers);
      if (!is_watched(call.path) && !is_watched(call.other_path)) return;
      Verdict const verdict = judge_(call);
      if (verdict.kills)
        kill(program, SIGKILL);
      else
        carry_out(process, verdict, registers);
      return;
    }
  }

  [[nodiscard]] bool is_watched(std::string const& path) const {
    return path.starts_with(watched_) && (path.size() == watched_.size() || path[watched_.size()] == '/');
  }

  std::string watched_;
  std::function<Verdict(FileCall const&)> const& judge_;
};

[[noreturn]] void become(std::vector<std::string> words, fs::path const& out, fs::path const& error) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  for (auto const& [path, descriptor] : {std::pair{out, STDOUT_FILENO}, std::pair{error, STDERR_FILENO}}) {
    int const file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || dup2(file, descriptor) < 0) _exit(125);
  }
  setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // leak detection does not work in a traced program
  constexpr rlim_t processor_seconds = 60;
  rlimit const limit{processor_seconds, processor_seconds};
  if (setrlimit(RLIMIT_CPU, &limit) != 0 || ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(125);
  raise(SIGSTOP);
  stop_at_known_calls();
  execv(argv[0], argv.data());
  _exit(127);
}

}  // namespace

std::vector<std::byte> FileCall::memory(std::uint64_t address, std::size_t count) const {
  std::vector<std::byte> bytes(count);
  iovec local{bytes.data(), count};
  iovec remote{reinterpret_cast<void*>(address), count};  // NOLINT
  if (count != 0 && process_vm_readv(process, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(count))
    throw std::runtime_error("cannot read the memory of the traced program");
  return bytes;
}

Outcome run_traced(std::vector<std::string> const& arguments, fs::path const& watched,
                   std::function<Verdict(FileCall const&)> const& judge) {
  char const* const path = std::getenv("ZEROTH_CLI");
  if (path == nullptr) throw std::runtime_error("ZEROTH_CLI is not set");
  std::vector<std::string> words{path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  TemporaryDirectory const streams;
  fs::path const out = streams.path() / "out";
  fs::path const error = streams.path() / "error";
  pid_t const child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become(words, out, error);
  int const status = Tracer(fs::canonical(watched), judge).trace(child);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) throw std::runtime_error("the program hangs");
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(error)};
}

bool can_trace() {
  pid_t const child = fork();
  if (child == 0) _exit(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace zeroth_test

#else

namespace zeroth_test {

std::vector<std::byte> FileCall::memory(std::uint64_t, std::size_t) const {
  return {};
}

Outcome run_traced(std::vector<std::string> const&, std::filesystem::path const&,
                   std::function<Verdict(FileCall const&)> const&) {
  throw std::runtime_error("programs are traced on Linux on x86-64 only");
}

bool can_trace() {
  return false;
}

}  // namespace zeroth_test

#endif
