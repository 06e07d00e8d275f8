// SPDX-License-Identifier: MIT
// Where the program's output goes: standard streams that are closed, full or shared, descriptors, pipes and links; and
// what a terminal is shown of it.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <zeroth/error.hpp>
#include <zeroth/journal_file.hpp>
#include <zeroth_model/text/printable.hpp>

#include "../../cli/io/fault_text.hpp"
#include "../../cli/io/json.hpp"
#include "../../cli/io/paths.hpp"
#include "../../cli/options/options_json.hpp"
#include "../../cli/run/progress.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"
#include "run_fixture.hpp"
#include "terminal.hpp"

using namespace zeroth_test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Text to tokenize, and the expected output.
struct Lines : Fixture {
  std::string input = write_file(directory, "lines.txt", "a fine film\n").string();
  Words words{"tokenize", "--model", model, "--input", input};
  std::string rows = run_program(words).out;

  [[nodiscard]] std::string path(std::string const& name) const { return (directory.path() / name).string(); }

  [[nodiscard]] Words to(std::string const& output) const {
    Words with_output = words;
    with_output.insert(with_output.end(), {"--output", output});
    return with_output;
  }

  /// A file with one line, to which a test appends.
  [[nodiscard]] std::string shared() const { return write_file(directory, "shared", "EARLIER\n").string(); }

  [[nodiscard]] std::string link(std::string const& name, std::string const& target) const {
    fs::create_symlink(target, path(name));
    return path(name);
  }
};

void check_succeeded(Outcome const& outcome) {
  INFO(outcome.error);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.error.empty());
}

/// Exit code 2, and an error with `expected` as the last line.
void check_failed(Outcome const& outcome, std::string const& expected) {
  INFO(outcome.error);
  CHECK(outcome.exit_code == 2);
  std::size_t const error = outcome.error.find("zeroth: error: ");
  REQUIRE(error != std::string::npos);
  CHECK(outcome.error.find('\n', error) == outcome.error.size() - 1);
  CHECK_THAT(outcome.error.substr(error), contains_text(expected));
}

/// A command for each way in which the program prints to standard output.
std::vector<Words> printing_commands(Fixture const& fixture, std::string const& folder) {
  std::string const model = fixture.model;
  std::string const journal = fixture.out + "/journal";
  return {{"--help"},
          {"--version"},
          {"finetune", "--help"},
          {"completion", "bash"},
          {"completion", "zsh"},
          {"completion", "fish"},
          {"tasks"},
          {"tasks", "sst2"},
          {"inspect", "--model", model},
          {"inspect", "--model", model, "--json"},
          {"journal", journal},
          {"journal", journal, "--json"},
          {"journal", journal, "--plot", folder + "/run.svg"},
          {"generate", "--model", model, "--prompt", "a", "--max-new-tokens", "2"},
          {"export", "--model", model, "--output", folder + "/exported"},
          {"replay", "--model", model, "--journal", journal, "--output", folder + "/replayed"},
          fixture.finetune({"--overwrite"})};
}

}  // namespace

TEST_CASE("a run that is started with standard descriptors closed has none of its text in its files") {
  Fixture const fixture;
  REQUIRE(run_program(fixture.finetune()).exit_code == 0);
  std::string const journal = read_file(fixture.out + "/journal");
  for (char const* closed : {"<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    INFO(closed);
    Outcome const outcome = run_in_shell("\"$0\" \"$@\" " + std::string(closed), fixture.finetune({"--overwrite"}));
    CHECK(outcome.exit_code == 0);
    CHECK(read_file(fixture.out + "/journal") == journal);
    CHECK(fixture.metrics().size() == 6);
  }
}

TEST_CASE("what is written to a descriptor comes after what is there, and leaves the file and its links as they are") {
  Lines const lines;
  REQUIRE_FALSE(lines.rows.empty());
  std::string const shared = lines.path("shared");
  fs::create_directory_symlink("/proc/self/fd", lines.path("descriptors"));
  for (std::string const& output :
       {std::string("/dev/stdout"), std::string("/dev//stdout"), std::string("/dev/fd/1"),
        std::string("/proc/self/fd/1"), std::string("/proc/thread-self/fd/1"), lines.link("one", "/dev/stdout"),
        lines.link("two", "one"), lines.link("three", "/proc/self/fd/1"), lines.path("descriptors/1")}) {
    INFO(output);
    (void)lines.shared();
    check_succeeded(run_in_shell("\"$0\" \"$@\" >> '" + shared + "'", lines.to(output)));
    CHECK(read_file(shared) == "EARLIER\n" + lines.rows);
    check_succeeded(run_in_shell("{ echo FIRST; \"$0\" \"$@\"; \"$0\" \"$@\"; } > '" + shared + "'", lines.to(output)));
    CHECK(read_file(shared) == "FIRST\n" + lines.rows + lines.rows);
  }
  for (char const* link : {"one", "two", "three", "descriptors"}) CHECK(fs::is_symlink(lines.path(link)));

  (void)lines.shared();
  check_succeeded(run_in_shell("\"$0\" \"$@\" 7>> '" + shared + "'", lines.to("/dev/fd/7")));
  CHECK(read_file(shared) == "EARLIER\n" + lines.rows);
  CHECK(run_in_shell("\"$0\" \"$@\" | cat", lines.to("/dev/stdout")).out == lines.rows);
  CHECK(run_in_shell("\"$0\" \"$@\" 2>&1 > /dev/null", lines.to("/dev/stderr")).out == lines.rows);
}

TEST_CASE("each command that writes a file writes to a descriptor") {
  Lines const lines;
  REQUIRE(run_program(lines.finetune()).exit_code == 0);
  std::string const link = lines.link("link", "/dev/stdout");
  std::string const file = lines.path("file");
  for (Words words : std::vector<Words>{
           {"score", "--model", lines.model, "--input", lines.input, "--threads", "1", "--output"},
           {"eval", "--model", lines.model, "--task", "sst2", "--data", lines.data, "--threads", "1", "--output"},
           {"journal", lines.out + "/journal", "--plot"}}) {
    INFO(words[0]);
    words.push_back(file);
    REQUIRE(run_program(words).exit_code == 0);
    std::string const expected = read_file(file);
    words.back() = link;
    std::string const shared = lines.shared();
    CHECK(run_in_shell("\"$0\" \"$@\" >> '" + shared + "'", words).exit_code == 0);
    // Not one byte more: the name of the image would spoil it.
    CHECK(read_file(shared) == "EARLIER\n" + expected);
  }
  CHECK(fs::is_symlink(link));

  std::string const shared = lines.shared();
  for (Words const& words : std::vector<Words>{
           {"export", "--model", lines.model, "--to", "gguf", "--overwrite", "--output", link},
           {"export", "--model", lines.model, "--overwrite", "--output", link},
           {"replay", "--model", lines.model, "--journal", lines.out + "/journal", "--overwrite", "--output", link}}) {
    check_failed(run_in_shell("\"$0\" \"$@\" >> '" + shared + "'", words),
                 "--output: expected the name of a file or folder, found " + link);
    CHECK(read_file(shared) == "EARLIER\n");
    CHECK(fs::is_symlink(link));
  }
}

TEST_CASE("metrics that are a link to standard output do not empty the file that it goes to") {
  Lines const lines;
  fs::create_directory(lines.out);
  fs::create_symlink("/dev/stdout", lines.out + "/metrics.jsonl");
  std::string const shared = lines.shared();
  CHECK(run_in_shell("\"$0\" \"$@\" >> '" + shared + "'", lines.finetune()).exit_code != -1);
  CHECK(read_file(shared).starts_with("EARLIER\n"));
}

TEST_CASE("a descriptor that is not open, or not for writing, is rejected") {
  Lines const lines;
  std::string const shared = lines.shared();
  check_failed(run_in_shell("\"$0\" \"$@\" 7< '" + shared + "'", lines.to("/dev/fd/7")),
               "/dev/fd/7: expected a descriptor that is open for writing, found one for reading");
  check_failed(run_in_shell("\"$0\" \"$@\" 7>&-", lines.to("/dev/fd/7")),
               "/dev/fd/7: expected an open descriptor to write to, found: Bad file descriptor");
  CHECK(read_file(shared) == "EARLIER\n");
}

TEST_CASE("a file that standard output or standard error goes to is not replaced") {
  Lines const lines;
  std::string const shared = lines.shared();
  std::string const link = lines.link("link", "shared");
  for (std::string const& output : {shared, link}) {
    check_failed(run_in_shell("\"$0\" \"$@\" >> '" + shared + "'", lines.to(output)),
                 "expected a file that standard output does not go to, found the same file");
    CHECK(read_file(shared) == "EARLIER\n");
    Outcome const outcome = run_in_shell("\"$0\" \"$@\" 2>> '" + shared + "'", lines.to(output));
    CHECK(outcome.exit_code == 2);
    CHECK_THAT(read_file(shared),
               contains_text("expected a file that standard error does not go to, found the same file"));
    (void)lines.shared();
  }
  fs::create_directory(lines.out);
  for (std::string const name : {"journal", "metrics.jsonl", "options.json", "summary.json"}) {
    INFO(name);
    check_failed(run_in_shell("\"$0\" \"$@\" > '" + lines.out + "/" + name + "'", lines.finetune({"--overwrite"})),
                 name + ": expected a file that standard output does not go to");
  }
}

TEST_CASE("links to files are followed and stay, links to nothing lead to a new file, and pipes are opened once") {
  Lines const lines;
  std::string const shared = lines.shared();
  std::string const link = lines.link("link", "shared");
  std::string const dangling = lines.link("dangling", "new");
  for (std::string const& output : {link, dangling}) {
    check_succeeded(run_program(lines.to(output)));
    CHECK(fs::is_symlink(output));
  }
  CHECK(read_file(shared) == lines.rows);
  CHECK(read_file(lines.path("new")) == lines.rows);
  Words const to_gguf{"export", "--model", lines.model, "--to", "gguf", "--overwrite", "--output", link};
  CHECK(run_program(to_gguf).exit_code == 0);
  CHECK(read_file(shared).starts_with("GGUF"));
  CHECK(fs::is_symlink(link));

  REQUIRE(mkfifo(lines.path("pipe").c_str(), 0600) == 0);
  Outcome const piped =
      run_in_shell("cat '" + lines.path("pipe") + "' & \"$0\" \"$@\"; wait", lines.to(lines.path("pipe")));
  check_succeeded(piped);
  CHECK(piped.out == lines.rows);
  CHECK(fs::is_fifo(lines.path("pipe")));

  check_failed(run_program(lines.to(lines.directory.path().string())), "expected a file, found a directory");
  check_failed(run_program(lines.to(lines.link("loop", "loop"))), "loop: cannot write: Too many levels");
}

TEST_CASE("a file that may not grow is an error that names it, and leaves nothing under its name") {
  Lines const lines;
  std::string const output = lines.path("scores.jsonl");
  std::string text;
  for (int i = 0; i < 100; ++i) text += "a fine film\n";
  write_file(lines.directory, "lines.txt", text);
  check_failed(run_program(lines.to(output), {.file_bytes = 2000}), output + ": cannot write: File too large");
  CHECK_FALSE(fs::exists(output));
  for (fs::directory_entry const& entry : fs::directory_iterator(lines.directory.path()))
    CHECK(entry.path().string().find(".part-") == std::string::npos);
}

TEST_CASE("exit codes tell of a full standard output") {
  if (!fs::exists("/dev/full")) ZEROTH_SKIP("no /dev/full");
  Lines const lines;
  REQUIRE(run_program(lines.finetune()).exit_code == 0);
  for (Words const& words : printing_commands(lines, lines.directory.path().string())) {
    INFO(words[0] << ' ' << words.back());
    Outcome const outcome = run_in_shell("\"$0\" \"$@\" > /dev/full", words);
    check_failed(outcome, "standard output: cannot write: No space left on device");
  }
  CHECK(fs::exists(lines.out + "/summary.json"));  // the run itself was done and saved
  check_failed(run_in_shell("\"$0\" \"$@\" > /dev/full", lines.words), "/dev/stdout: cannot write: No space left");
}

TEST_CASE("a reader that goes away ends a command that prints, and not a run that is saved") {
  Fixture const fixture;
  std::string const pipe = (fixture.directory.path() / "pipe").string();
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  // Descriptor 5 writes to a pipe that no process has open for reading any more.
  std::string const without_reader = "exec 4<> '" + pipe + "' 5> '" + pipe + "' 4<&-; ";
  Outcome const inspect =
      run_in_shell(without_reader + "\"$0\" \"$@\" >&5; echo $?", {"inspect", "--model", fixture.model});
  CHECK(inspect.out == std::to_string(128 + SIGPIPE) + "\n");
  CHECK_THAT(inspect.error, !contains_text("zeroth: error"));
  Outcome const run = run_in_shell(without_reader + "exec \"$0\" \"$@\" 2>&5", fixture.finetune());
  CHECK(run.exit_code == 0);
  CHECK(fs::exists(fixture.out + "/summary.json"));
}

TEST_CASE("progress shows a loss that is not a number, and counts those that were") {
  auto const last_line = [](std::vector<double> const& losses) {
    TemporaryDirectory const directory;
    std::string const path = (directory / "error").string();
    pid_t const child = fork();
    if (child == 0) {
      if (std::freopen(path.c_str(), "w", stderr) == nullptr) _exit(1);
      zeroth::cli::Progress progress(losses.size());
      for (std::size_t i = 0; i < losses.size(); ++i) progress.step(i + 1, losses[i], 1);
      std::fflush(stderr);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    std::string const text = read_file(path);
    std::size_t const line = text.rfind('\n', text.size() - 2);
    return line == std::string::npos ? text : text.substr(line + 1);
  };
  double const nan = std::numeric_limits<double>::quiet_NaN();
  double const inf = std::numeric_limits<double>::infinity();
  CHECK_THAT(last_line({0.5, 0.7}), contains_text(" loss 0.6000  "));
  CHECK_THAT(last_line({0.5, nan}), contains_text(" loss nan  "));
  CHECK_THAT(last_line({0.5, std::copysign(nan, -1.0)}), contains_text(" loss nan  "));
  CHECK_THAT(last_line({0.5, inf}), contains_text(" loss inf  "));
  CHECK_THAT(last_line({0.5, nan, 0.7}), contains_text(" loss 0.6000 (nan or inf: 1)  "));
  CHECK_THAT(last_line({nan, inf, 0.7}), contains_text(" loss 0.7000 (nan or inf: 2)  "));
}

TEST_CASE("names from files reach a terminal without what would steer it") {
  Lines const lines;
  // A tensor name of the same length: ESC, U+009B, U+202E, DEL.
  std::string model = read_file(lines.model);
  std::string const name = "blk.1.ffn_down.weight";
  std::string const evil =
      "\x1b[31m\xC2\x9B"
      "0m\xE2\x80\xAE\x7f"
      "zzzzzzzz";
  REQUIRE(evil.size() == name.size());
  std::size_t const at = model.find(name);
  REQUIRE(at != std::string::npos);
  model.replace(at, name.size(), evil);
  std::string const path = write_file(lines.directory, "evil.gguf", model).string();

  Outcome const table = run_program({"inspect", "--model", path});
  CHECK(table.exit_code == 0);
  CHECK_THAT(table.out, contains_text("?[31m?0m??zzzzzzzz "));
  CHECK(zeroth::model::replace_unprintable(table.out, "\n") == table.out);
  Outcome const text = run_program({"inspect", "--model", path, "--json"});
  CHECK(zeroth::model::replace_unprintable(text.out, "\n") == text.out);
  std::vector<std::string> names;
  json const tensors = json::parse(text.out).at("tensors");
  for (json const& tensor : tensors) names.push_back(tensor.at("name"));
  CHECK(std::count(names.begin(), names.end(), evil) == 1);

  // Names in messages.
  for (std::string const& file : {std::string("no\x1b[2J such\xC2\x9B"), std::string("no\xFF such")}) {
    Outcome const missing = run_program({"inspect", "--model", file});
    check_failed(missing, "no?");
    CHECK(zeroth::model::replace_unprintable(missing.error, "\n") == missing.error);
  }
}

TEST_CASE("a task's columns and a journal's notes are shown without what would steer a terminal") {
  Lines const lines;
  std::string const form = R"("format":"tsv","candidates":["a","b"],"label":{"field":"y"}})";
  std::string const columns =
      write_file(lines.directory, "columns.json",
                 R"({"files":{"held_out":"x"},"columns":["\u001b[2J\u009b\u202eEVIL"],"prompt":"{y}",)" + form)
          .string();
  write_file(lines.directory, "x", "a\x1b[31mRED\ty\nx\tb\n");
  std::string const header =
      write_file(lines.directory, "header.json", R"({"files":{"held_out":"x"},"prompt":"{nope}",)" + form).string();
  for (std::string const& task : {columns, header}) {
    Outcome const outcome = run_program(
        {"eval", "--model", lines.model, "--task", task, "--data", lines.data, "--output", lines.path("o")});
    check_failed(outcome, "expected");
    CHECK_THAT(outcome.error, contains_text("?["));
    CHECK(zeroth::model::replace_unprintable(outcome.error, "\n") == outcome.error);
  }

  REQUIRE(run_program(lines.finetune()).exit_code == 0);
  zeroth::JournalHeader header_of_run = zeroth::read_journal(lines.out + "/journal").header();
  header_of_run.notes.push_back({"turned\xE2\x80\xAE",
                                 "\xC2\x9B"
                                 "31m caf\xE9"});
  { zeroth::JournalFile const journal(lines.path("journal"), header_of_run); }
  Outcome const table = run_program({"journal", lines.path("journal")});
  CHECK(table.exit_code == 0);
  CHECK_THAT(table.out, contains_text("turned?"));
  CHECK_THAT(table.out, contains_text("?31m caf?\n"));
  Outcome const text = run_program({"journal", lines.path("journal"), "--json"});
  CHECK(text.exit_code == 0);
  CHECK(zeroth::model::replace_unprintable(text.out, "\n") == text.out);
  CHECK(json::parse(text.out).at("notes").at("turned\xE2\x80\xAE") ==
        "\xC2\x9B"
        "31m caf\xEF\xBF\xBD");
}

TEST_CASE("generated text is safe on a terminal, and as it is in a pipe") {
  Fixture const fixture;
  // A model with random weights draws each byte now and then.
  for (int seed = 0;; ++seed) {
    REQUIRE(seed < 100);
    Words const words{"generate", "--model", fixture.model,        "--prompt",      "a",  "--threads",
                      "1",        "--seed",  std::to_string(seed), "--temperature", "50", "--max-new-tokens",
                      "60"};
    Outcome const piped = run_program(words);
    REQUIRE(piped.exit_code == 0);
    std::string const shown = zeroth::model::replace_unprintable(piped.out, "\n\t");
    if (shown == piped.out) continue;
    CHECK(run_on_terminal(words) == shown);
    break;
  }
}

TEST_CASE("paths that are not UTF-8 are written as URIs that lead back to them") {
  using zeroth::cli::path_of_text;
  using zeroth::cli::path_text;
  CHECK(path_text("/tmp/caf\xC3\xA9") == "/tmp/caf\xC3\xA9");
  CHECK(path_text("relative/100%.gguf") == "relative/100%.gguf");
  CHECK(path_text("/tmp/caf\xE9/100%\xFF.gguf") == "file:///tmp/caf%E9/100%25%FF.gguf");
  CHECK(path_text("m\xFF") == "file://" + fs::current_path().string() + "/m%FF");
  std::string every = "/";
  for (int byte = 1; byte < 256; ++byte) every += static_cast<char>(byte);
  for (std::string const& path : {every, std::string("/plain"), std::string("plain"), std::string("/\xFF%41")})
    CHECK(path_of_text(path_text(path)) == path);
  CHECK(path_of_text(path_text("file:///odd")) == fs::current_path() / "file:///odd");
  for (char const* text : {"file:///%4", "file:///%", "file:///%ff", "file:///%00", "file:///%G0"})
    CHECK_THROWS_AS(path_of_text(text), zeroth::InvalidArgument);
}

TEST_CASE("every command takes paths that are not UTF-8") {
  Lines lines;
  fs::path const folder = lines.directory.path() / "caf\xE9";
  fs::create_directory(folder);
  fs::copy_file(lines.model, folder / "m\xFF.gguf");
  fs::copy(lines.directory.path() / "SST-2", folder / "SST-2");
  lines.model = (folder / "m\xFF.gguf").string();
  lines.data = folder.string();
  lines.out = (folder / "out").string();
  std::string const uri = "file://" + lines.directory.path().string() + "/caf%E9";

  Outcome const inspect = run_program({"inspect", "--model", lines.model, "--json"});
  check_succeeded(inspect);
  CHECK(json::parse(inspect.out).at("path") == uri + "/m%FF.gguf");

  std::string const output = (folder / "eval.json").string();
  std::string const task = (folder / "t.json").string();
  {
    std::ofstream file(task);
    file << run_program({"tasks", "sst2"}).out;
  }
  Outcome const eval =
      run_program({"eval", "--model", lines.model, "--task", task, "--data", lines.data, "--output", output});
  INFO(eval.error);
  CHECK(eval.exit_code == 0);
  CHECK(json::parse(read_file(output)).at("model") == uri + "/m%FF.gguf");
  CHECK(json::parse(read_file(output)).at("task") == uri + "/t.json");

  for (Words const& more : std::vector<Words>{{}, {"--overwrite"}, {"--overwrite", "--lora-rank", "2"}}) {
    Outcome const outcome = run_program(lines.finetune_on(task, more));
    INFO(outcome.error);
    REQUIRE(outcome.exit_code == 0);
    CHECK(lines.summary().at("model").at("path") == uri + "/m%FF.gguf");
    CHECK(lines.summary().at("options").at("task") == uri + "/t.json");
  }
  zeroth::cli::FinetuneOptions const options = zeroth::cli::read_options(lines.out + "/options.json");
  CHECK(options.model == lines.model);
  CHECK(options.data == lines.data);
  CHECK(options.out == lines.out);
  CHECK(options.task == task);

  // A run that was stopped early resumes.
  CHECK(run_program(lines.finetune_on(task, {"--overwrite", "--lora-rank", "2", "--steps", "4"})).exit_code == 2);
  fs::remove(lines.out + "/summary.json");
  Outcome const resumed = run_program({"finetune", "--resume", lines.out});
  INFO(resumed.error);
  CHECK(resumed.exit_code == 0);
  Outcome const exported = run_program({"export", "--model", lines.model, "--adapter", lines.out + "/adapter",
                                        "--output", (folder / "merged").string()});
  INFO(exported.error);
  CHECK(exported.exit_code == 0);
  Outcome const again = run_program({"export", "--model", (folder / "merged").string(), "--to", "gguf", "--output",
                                     (folder / "again.gguf").string()});
  INFO(again.error);
  CHECK(again.exit_code == 0);

  json options_file = json::parse(read_file(lines.out + "/options.json"));
  options_file["model"] = "file:///%4";
  write_file(lines.directory, "caf\xE9/out/options.json", options_file.dump());
  fs::remove(lines.out + "/summary.json");
  check_failed(run_program({"finetune", "--resume", lines.out}), "options.json: key 'model': expected %XX");
}

TEST_CASE("JSON has no character that a terminal would not show, and says the same") {
  using zeroth::cli::Json;
  using zeroth::cli::json_text;
  std::string const text = "tab\t esc\x1b del\x7f csi\xC2\x9B rlo\xE2\x80\xAE \xC3\xA9 \xF0\x9F\x98\x80 \"\\";
  std::string const written = json_text(Json{{"a", text}, {"b", 1.5}}, 2);
  CHECK(zeroth::model::replace_unprintable(written, "\n") == written);
  CHECK_THAT(written, contains_text("del\\u007f csi\\u009b rlo\\u202e \xC3\xA9"));
  CHECK(json::parse(written).at("a") == text);
  CHECK(json_text(Json("caf\xE9")) == "\"caf\xEF\xBF\xBD\"");
}

TEST_CASE("no message of a library reaches the user unchanged") {
  using zeroth::cli::fault_text;
  CHECK(fault_text(zeroth::InvalidFile("f: expected a, found b")) == "f: expected a, found b");
  CHECK(fault_text(fs::filesystem_error("status", "/a/b", std::make_error_code(std::errc::permission_denied))) ==
        "/a/b: Permission denied");
  CHECK(fault_text(std::bad_alloc()).starts_with("not enough memory"));
  CHECK(fault_text(std::length_error("vector::_M_default_append")).starts_with("not enough memory"));
  CHECK(fault_text(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again))) ==
        "a system call failed: Resource temporarily unavailable");
  CHECK_THAT(fault_text(std::runtime_error("odd")), contains_text("a bug in zeroth"));

  // Names that the file system rejects, wherever a path is expected.
  Lines const lines;
  REQUIRE(run_program(lines.finetune()).exit_code == 0);
  std::string const loop = lines.link("loop", "loop");
  std::string const journal = lines.out + "/journal";
  for (std::string const& bad : {loop, loop + "/below", lines.path(std::string(300, 'x'))}) {
    Words const task{"--model", lines.model, "--task", "sst2", "--data", lines.data};
    std::vector<Words> commands{{"inspect", "--model", bad},
                                {"journal", bad},
                                {"journal", journal, "--plot", bad},
                                {"tokenize", "--model", bad, "--input", lines.input},
                                {"tokenize", "--model", lines.model, "--input", bad},
                                {"generate", "--model", lines.model, "--adapter", bad, "--prompt", "a"},
                                {"export", "--model", lines.model, "--output", bad},
                                {"export", "--model", lines.model, "--to", "gguf", "--output", bad},
                                {"replay", "--model", lines.model, "--journal", journal, "--output", bad},
                                {"replay", "--model", lines.model, "--journal", bad, "--output", lines.path("r")},
                                {"finetune", "--resume", bad},
                                lines.to(bad)};
    for (std::size_t i : {std::size_t{1}, std::size_t{5}}) {
      Words eval{"eval", "--output", lines.path("o")};
      eval.insert(eval.end(), task.begin(), task.end());
      eval[3 + i] = bad;
      commands.push_back(eval);
    }
    for (char const* option : {"--out", "--data", "--model"}) {
      Words words = lines.finetune({"--overwrite"});
      *(std::find(words.begin(), words.end(), option) + 1) = bad;
      commands.push_back(words);
    }
    for (Words const& words : commands) {
      INFO(words[0] << ' ' << words[1] << ' ' << words.back());
      Outcome const outcome = run_program(words);
      check_failed(outcome, bad.substr(0, 100));
      for (char const* bare : {"filesystem error", "[json.", "basic_", "vector::", "std::", "fault of the program"})
        CHECK(outcome.error.find(bare) == std::string::npos);
    }
  }
}
