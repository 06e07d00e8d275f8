// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "run_tree.hpp"
#include "traced_program.hpp"

namespace zeroth_test {

/// Records what a program did to the files below a folder, and what a disk may hold if the machine goes down meanwhile.
///
/// The model of a disk is at least as unkind as POSIX allows for file systems in use:
/// - for a file's bytes, each sector of 512 bytes is as it was after any write since the file was last synced,
///   independently of the other sectors; so is its size. Bytes in between are zero.
/// - for a folder's names, any number of the changes since the folder was last synced are present, in order; two
///   folders do not wait for each other, nor for their files' bytes.
class RecordedDisk {
 public:
  explicit RecordedDisk(std::filesystem::path root) : root_(std::filesystem::canonical(root).string()) {
    for (auto const& [name, bytes] : read_tree(root_)) {
      if (name.ends_with('/')) continue;
      std::size_t const file = files_.size();
      files_.push_back({.first = bytes});
      before_[name] = file;
      names_[name] = file;
    }
    for (auto const& [name, bytes] : read_tree(root_))
      if (name.ends_with('/')) folders_before_.push_back(name.substr(0, name.size() - 1));
  }

  /// Records a call that is about to be made.
  void note(FileCall const& call) {
    std::string const name = relative(call.path);
    if (call.name == "open") {
      note_open(name, call.arguments[1]);
    } else if (call.name == "write") {
      note_write(call, name);
    } else if (call.name == "truncate") {
      change(name, {Kind::size, {}, call.arguments[1]});
    } else if (call.name == "fsync") {
      if (names_.contains(name))
        events_.push_back({Kind::sync, names_.at(name), name, {}});
      else
        events_.push_back({Kind::sync_folder, 0, name, {}});
    } else if (call.name == "mkdir") {
      if (!std::filesystem::exists(call.path)) events_.push_back({Kind::make_folder, 0, name, {}});
    } else if (call.name == "unlink") {
      if (!can_unlink(call.path)) return;
      names_.erase(name);
      events_.push_back({Kind::unlink, 0, name, {}});
    } else if (call.name == "rename") {
      std::string const to = relative(call.other_path);
      bool const swaps = call.arguments[4] == 2;  // RENAME_EXCHANGE of renameat2
      events_.push_back({swaps ? Kind::exchange : Kind::rename, 0, name, to});
      move_names(name, to, swaps);
    }
  }

  [[nodiscard]] std::size_t events() const noexcept { return events_.size(); }

  /// Draws a number below its argument.
  using Draw = std::function<std::size_t(std::size_t)>;

  /// What the disk may hold if the machine goes down after the first `count` events.
  /// @param draw_bytes chooses among the versions that a sector may have, oldest first
  /// @param draw_names chooses how many of a folder's changes since its last sync are present
  [[nodiscard]] Tree after(std::size_t count, Draw const& draw_bytes, Draw const& draw_names) const;

 private:
  enum class Kind : std::uint8_t { create, bytes, size, sync, sync_folder, make_folder, unlink, rename, exchange };

  struct Event {
    Kind kind;
    std::size_t file;
    std::string name;
    std::string to;
  };
  struct Change {
    Kind kind;
    std::vector<std::byte> bytes;
    std::uint64_t at;  ///< or the size
    std::size_t event = 0;
  };
  struct File {
    std::string first{};  ///< its bytes before the program began
    std::vector<Change> changes{};
  };

  [[nodiscard]] std::string relative(std::string const& path) const {
    return path.size() > root_.size() && path.starts_with(root_) ? path.substr(root_.size() + 1) : "";
  }

  /// Whether the name exists and does not belong to a nonempty folder.
  [[nodiscard]] static bool can_unlink(std::string const& path) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) return std::filesystem::exists(path, error);
    return std::filesystem::is_empty(path, error) && !error;
  }

  void note_open(std::string const& name, std::uint64_t flags) {
    if ((flags & O_CREAT) != 0 && !names_.contains(name) && !std::filesystem::exists(root_ + "/" + name)) {
      names_[name] = files_.size();
      events_.push_back({Kind::create, files_.size(), name, {}});
      files_.emplace_back();
    } else if ((flags & O_TRUNC) != 0) {
      change(name, {Kind::size, {}, 0});
    }
  }

  void note_write(FileCall const& call, std::string const& name) {
    // pwrite says where; write is at the descriptor's position, which is always the end in the program's uses of it.
    std::vector<std::byte> bytes = call.memory(call.arguments[1], static_cast<std::size_t>(call.arguments[2]));
    std::uint64_t const end = std::filesystem::exists(call.path) ? std::filesystem::file_size(call.path) : 0;
    change(name, {Kind::bytes, std::move(bytes), call.at_place ? call.arguments[3] : end});
  }

  void change(std::string const& name, Change what) {
    if (!names_.contains(name)) return;
    what.event = events_.size();
    std::size_t const file = names_.at(name);
    events_.push_back({what.kind, file, name, {}});
    files_[file].changes.push_back(std::move(what));
  }

  static bool is_below(std::string const& name, std::string const& folder) {
    return name == folder || name.starts_with(folder + "/");
  }

  void move_names(std::string const& from, std::string const& to, bool swaps) {
    std::map<std::string, std::size_t> moved;
    for (auto const& [name, file] : names_) {
      if (is_below(name, from))
        moved[to + name.substr(from.size())] = file;
      else if (!is_below(name, to))
        moved[name] = file;
      else if (swaps)
        moved[from + name.substr(to.size())] = file;
    }
    names_ = std::move(moved);
  }

  /// Bytes of a file, each sector as of some moment between its last sync before event `count` and that event.
  [[nodiscard]] std::string bytes_of(std::size_t file, std::size_t count, Draw const& draw) const;

  std::string root_;
  std::vector<File> files_;
  std::vector<Event> events_;
  std::map<std::string, std::size_t> before_;
  std::vector<std::string> folders_before_;
  std::map<std::string, std::size_t> names_;  ///< current names
};

inline std::string RecordedDisk::bytes_of(std::size_t file, std::size_t count, Draw const& draw) const {
  File const& history = files_[file];
  std::size_t synced = 0;  // changes that the disk must have
  std::size_t made = 0;
  for (std::size_t e = 0; e < count; ++e) {
    if (events_[e].file != file) continue;
    if (events_[e].kind == Kind::bytes || events_[e].kind == Kind::size) ++made;
    if (events_[e].kind == Kind::sync) synced = made;
  }
  auto const version = [&](std::size_t changes) {
    std::string bytes = history.first;
    for (std::size_t i = 0; i < changes; ++i) {
      Change const& c = history.changes[i];
      if (c.kind == Kind::size) {
        bytes.resize(static_cast<std::size_t>(c.at), '\0');
        continue;
      }
      std::size_t const end = static_cast<std::size_t>(c.at) + c.bytes.size();
      if (bytes.size() < end) bytes.resize(end, '\0');
      std::transform(c.bytes.begin(), c.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(c.at),
                     [](std::byte b) { return static_cast<char>(b); });
    }
    return bytes;
  };
  std::vector<std::string> versions;
  for (std::size_t i = synced; i <= made; ++i) versions.push_back(version(i));
  constexpr std::size_t sector = 512;
  std::string bytes(versions[draw(versions.size())].size(), '\0');
  for (std::size_t at = 0; at < bytes.size(); at += sector) {
    std::string const& source = versions[draw(versions.size())];
    for (std::size_t i = at; i < std::min({at + sector, bytes.size(), source.size()}); ++i) bytes[i] = source[i];
  }
  return bytes;
}

inline Tree RecordedDisk::after(std::size_t count, Draw const& draw_bytes, Draw const& draw_names) const {
  auto const folder_of = [](std::string const& name) { return std::filesystem::path(name).parent_path().string(); };
  auto const changes_names = [](Kind kind) {
    return kind == Kind::create || kind == Kind::make_folder || kind == Kind::unlink || kind == Kind::rename ||
           kind == Kind::exchange;
  };
  // For each folder, how many changes of names the disk must have, and does have.
  std::map<std::string, std::size_t> made, kept;
  for (std::size_t e = 0; e < count; ++e) {
    if (changes_names(events_[e].kind)) ++made[folder_of(events_[e].name)];
    if (events_[e].kind == Kind::sync_folder) kept[events_[e].name] = made[events_[e].name];
  }
  for (auto const& [folder, changes] : made) kept[folder] += draw_names(changes - kept[folder] + 1);

  struct Node {
    bool is_folder = true;
    std::size_t file = 0;
    std::map<std::string, std::shared_ptr<Node>> names{};
  };
  auto const root = std::make_shared<Node>();
  auto const find = [&](std::string const& name) -> std::shared_ptr<Node> {
    std::shared_ptr<Node> node = root;
    for (auto const& part : std::filesystem::path(name)) {
      auto const next = node->names.find(part.string());
      if (next == node->names.end()) return nullptr;
      node = next->second;
    }
    return node;
  };
  auto const parent = [&](std::string const& name) { return find(folder_of(name)); };
  auto const last = [](std::string const& name) { return std::filesystem::path(name).filename().string(); };
  for (std::string const& folder : folders_before_)
    if (auto const above = parent(folder)) above->names[last(folder)] = std::make_shared<Node>();
  for (auto const& [name, file] : before_)
    if (auto const above = parent(name)) above->names[last(name)] = std::make_shared<Node>(Node{false, file, {}});

  // Each change knows a renamed folder by its name at that time, so each change is looked up among the names of that
  // time; changes that the disk lacks are skipped.
  std::map<std::string, std::size_t> seen;
  for (std::size_t e = 0; e < count; ++e) {
    Event const& event = events_[e];
    if (!changes_names(event.kind)) continue;
    std::string const folder = folder_of(event.name);
    if (seen[folder]++ >= kept[folder]) continue;
    auto const above = parent(event.name);
    if (above == nullptr) continue;
    std::string const name = last(event.name);
    if (event.kind == Kind::create) {
      above->names[name] = std::make_shared<Node>(Node{false, event.file, {}});
    } else if (event.kind == Kind::make_folder) {
      above->names.emplace(name, std::make_shared<Node>());
    } else if (event.kind == Kind::unlink) {
      above->names.erase(name);
    } else if (auto const to = parent(event.to); to != nullptr && above->names.contains(name)) {
      std::shared_ptr<Node> const moved = above->names[name];
      above->names.erase(name);
      if (event.kind == Kind::exchange && to->names.contains(last(event.to)))
        above->names[name] = to->names[last(event.to)];
      to->names[last(event.to)] = moved;
    }
  }

  Tree tree;
  std::function<void(Node const&, std::string const&)> const write = [&](Node const& node, std::string const& path) {
    for (auto const& [name, child] : node.names) {
      if (!child->is_folder) {
        tree[path + name] = bytes_of(child->file, count, draw_bytes);
      } else {
        tree[path + name + "/"];
        write(*child, path + name + "/");
      }
    }
  };
  write(*root, "");
  return tree;
}

}  // namespace zeroth_test
