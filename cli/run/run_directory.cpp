// SPDX-License-Identifier: MIT
#include "run_directory.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth_model/io/atomic_file.hpp>

#include "io/output.hpp"
#include "io/text.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

/// What a run writes to its folder, with the folders last.
constexpr std::array<std::string_view, 6> run_names{"options.json",  "summary.json", "journal",
                                                    "metrics.jsonl", "model",        "adapter"};
constexpr std::size_t run_files = 4;

/// Whether there is a journal worth keeping.
bool has_steps(fs::path const& journal) {
  if (!fs::exists(journal)) return false;
  try {
    return recover_journal(journal.string()).journal.steps() > 0;
  } catch (InvalidFile const&) {
    return fs::file_size(journal) > 0;
  }
}

void remove_all_of(fs::path const& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw InvalidFile(path.string() + ": cannot remove: " + error.message());
}

fs::path folder_of_run(fs::path path, EarlierRun earlier) {
  if (earlier == EarlierRun::resume && !fs::exists(path / "options.json"))
    throw InvalidFile("--resume: " + path.string() + ": expected the folder of a run, found no options.json in it");
  return path;
}

/// Whether a file holds what was cut off a journal, see JournalCut.
bool is_cut(std::string const& name) {
  return name.starts_with("journal.cut-");
}

/// The path and all folders above it, innermost first.
std::vector<fs::path> with_folders(fs::path path) {
  std::vector<fs::path> all{path};
  for (; path.has_relative_path(); all.push_back(path)) path = path.parent_path();
  return all;
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, EarlierRun earlier)
    : path_(folder_of_run(std::move(path), earlier)),
      earlier_(earlier),
      lock_(path_, earlier == EarlierRun::resume ? "--resume" : "--out",
            earlier == EarlierRun::resume ? RunLock::Folder::must_exist : RunLock::Folder::may_be_created) {
  check();
}

void RunDirectory::check() const {
  for (std::string_view name : std::span(run_names).first(run_files)) {
    fs::path const file = path_ / name;
    std::error_code ignored;
    fs::file_status const status = fs::status(file, ignored);
    if (fs::exists(status) && !fs::is_regular_file(status))
      throw InvalidFile(file.string() + ": expected a regular file, found " +
                        (fs::is_directory(status) ? "a directory" : "a pipe or a device"));
  }
  if (earlier_ == EarlierRun::reject) {
    for (fs::path const& finished : {summary(), model(), adapter()})
      if (fs::exists(finished))
        throw InvalidFile("--out: " + path_.string() + ": expected no earlier run, found " + finished.string() +
                          "; choose another folder or add --overwrite");
    if (has_steps(journal()))
      throw InvalidFile("--out: " + path_.string() +
                        ": expected no earlier run, found the journal of one that was not " +
                        "finished; resume it with --resume, choose another folder or add --overwrite");
  }
  check_writable(summary());
  for (fs::path const& folder : {model(), adapter()}) zeroth::model::AtomicDirectory{folder};
}

void RunDirectory::require_not_written(std::string const& option, fs::path const& input) const {
  if (input.empty()) return;
  std::error_code error;
  std::vector<fs::path> read{fs::canonical(input, error)};
  if (error) return;  // reading it will report the error
  // The files of a model's folder may be links.
  if (fs::is_directory(read[0], error))
    for (fs::directory_iterator entry(read[0], error); !error && entry != fs::directory_iterator();
         entry.increment(error))
      if (std::error_code ignored; entry->is_symlink(ignored))
        if (fs::path target = fs::canonical(entry->path(), ignored); !ignored) read.push_back(std::move(target));
  for (fs::path const& path : read)
    for (fs::path const& above : with_folders(path))
      for (std::string_view name : run_names)
        if (fs::equivalent(above, path_ / name, error))
          throw InvalidFile(option + ": " + input.string() + ": expected one that the run does not overwrite, found " +
                            (path_ / name).string() + ", which it replaces; choose another --out, or copy it first");
}

void RunDirectory::begin() const {
  lock_.require_held();
  if (earlier_ == EarlierRun::resume) {
    remove_all_of(summary());
  } else {
    // A run without options.json cannot be resumed: it is removed first, and written when all else is gone.
    std::vector<fs::path> stale(run_names.begin(), run_names.end());
    for (fs::directory_entry const& entry : fs::directory_iterator(path_))
      if (is_cut(entry.path().filename().string())) stale.push_back(entry.path().filename());
    for (fs::path const& name : stale) remove_all_of(path_ / name);
  }
  for (std::string_view name : run_names) zeroth::model::remove_dead_parts(path_ / name);
}

std::unique_ptr<RunLock> lock_run_of(fs::path const& output) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(output, error), error);
  if (error) return nullptr;                            // writing it will report the error
  if (!path.has_filename()) path = path.parent_path();  // "OUT/model/"
  bool const is_of_run = path.filename() == "model" || path.filename() == "adapter";
  if (!is_of_run || !fs::exists(path.parent_path() / "options.json", error)) return nullptr;
  return std::make_unique<RunLock>(path.parent_path(), "--output", RunLock::Folder::must_exist);
}

void RunDirectory::check_space(std::uint64_t bytes) const {
  std::error_code error;
  fs::space_info const space = fs::space(path_, error);
  // Some network file systems report no numbers; if they are full, saving the model will fail.
  if (error || space.capacity == 0) return;
  if (space.available < bytes)
    throw InvalidFile("--out: " + path_.string() + ": expected " + human_bytes(bytes) +
                      " of free space for the tuned model, found " + human_bytes(space.available));
}

}  // namespace zeroth::cli
