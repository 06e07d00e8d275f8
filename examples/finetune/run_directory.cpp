// SPDX-License-Identifier: MIT
#include "run_directory.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth/model/format/atomic_file.hpp>

#include "output.hpp"
#include "text.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(fs::path const& path, std::string const& what, int error) {
  throw InvalidFile(path.string() + ": " + what + ": " + std::strerror(error));
}

/// What is saved in a run's folder under another name at first, see model::AtomicFile.
constexpr std::array<std::string_view, 4> part_names{"model", "adapter", "summary.json", "options.json"};

/// Whether there is a journal that would be a loss.
bool has_steps(fs::path const& journal) {
  if (!fs::exists(journal)) return false;
  try {
    return read_journal(journal.string()).steps() > 0;
  } catch (InvalidFile const&) {
    return fs::file_size(journal) > 0;
  }
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, EarlierRun earlier) : path_(std::move(path)), earlier_(earlier) {
  if (earlier == EarlierRun::refuse) {
    for (fs::path const& finished : {summary(), model(), adapter()})
      if (fs::exists(finished))
        throw InvalidFile("--out: " + path_.string() + ": expected no earlier run, found " + finished.string() +
                          "; choose another directory or add --overwrite");
    if (has_steps(journal()))
      throw InvalidFile("--out: " + path_.string() +
                        ": expected no earlier run, found the journal of one that did not " +
                        "end; go on with it with --resume, choose another directory or add --overwrite");
  }
  std::error_code error;
  made_here_ = fs::create_directories(path_, error);
  if (error) refuse(path_, "--out: cannot make the directory", error.value());
  try {
    check_writable(summary());
    for (fs::path const& folder : {model(), adapter()}) zeroth::model::AtomicDirectory{folder};
  } catch (...) {
    if (made_here_) fs::remove(path_, error);
    throw;
  }
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (made_here_) fs::remove(path_, ignored);
}

void RunDirectory::begin() {
  std::vector<fs::path> stale{summary()};
  // Without options no run goes on: they are the first to be removed, and come back when the journal is gone.
  if (earlier_ != EarlierRun::go_on) stale.insert(stale.end(), {options(), journal()});
  for (fs::path const& path : stale) {
    std::error_code error;
    fs::remove(path, error);
    if (error) refuse(path, "cannot remove", error.value());
  }
}

void RunDirectory::remove_parts() const {
  for (fs::directory_entry const& entry : fs::directory_iterator(path_)) {
    std::string const name = entry.path().filename().string();
    bool const is_part = std::any_of(part_names.begin(), part_names.end(), [&](std::string_view part) {
      return name.starts_with(std::string(part) + ".part-");
    });
    if (is_part) remove_stale(entry.path());
  }
}

void RunDirectory::remove_stale(fs::path const& saved) {
  std::error_code error;
  fs::remove_all(saved, error);
  if (error) refuse(saved, "cannot remove", error.value());
}

void RunDirectory::check_space(std::uint64_t bytes) const {
  std::error_code error;
  fs::space_info const space = fs::space(path_, error);
  // Some network file systems know no numbers; they are found full when the model is saved.
  if (error || space.capacity == 0) return;
  if (space.available < bytes)
    throw InvalidFile("--out: " + path_.string() + ": expected " + human_bytes(bytes) +
                      " of free space for the tuned model, found " + human_bytes(space.available));
}

}  // namespace zeroth::cli
