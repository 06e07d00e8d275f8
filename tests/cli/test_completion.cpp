// SPDX-License-Identifier: MIT
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../../cli/commands/help.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "program.hpp"

using namespace zeroth_test;

namespace {

using Lines = std::vector<std::string>;

bool is_installed(std::string const& shell) {
  return std::system(("command -v " + shell + " >/dev/null").c_str()) == 0;
}

/// The lines that a shell prints when it runs `code`, which may read the completion script as "$1".
Lines run_shell(std::string const& shell, std::string const& code) {
  TemporaryDirectory const directory;
  Outcome const script = run_program({"completion", shell});
  REQUIRE(script.exit_code == 0);
  std::string const path = write_file(directory, "script", script.out).string();
  std::string const test = write_file(directory, "test", code).string();
  std::string const out = (directory / "out").string();
  std::string const command = "cd '" + directory.path().string() + "' && HOME=. " + shell + " '" + test + "' '" + path +
                              "' >'" + out + "' 2>&1";
  int const status = std::system(command.c_str());
  std::istringstream text(read_file(out));
  INFO(text.str());
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  Lines lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

/// What bash offers for the words, the last of which is being typed. How bash continues by itself comes first:
/// "default" (files) or "dirnames".
Lines bash_offers(std::vector<std::string> const& words) {
  std::string code = "source \"$1\"\ncompopt() { printf '%s\\n' \"$2\"; }\nCOMP_WORDS=(";
  for (std::string const& word : words) code += "'" + word + "' ";
  code += ")\nCOMP_CWORD=" + std::to_string(words.size() - 1) +
          "\n\"$(complete -p zeroth | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\"\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
  Lines lines = run_shell("bash", code);
  std::erase(lines, "");
  return lines;
}

bool has(Lines const& lines, std::string const& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

Lines const commands{"finetune", "replay", "journal", "eval",  "score",     "generate",
                     "tokenize", "export", "inspect", "tasks", "completion"};

}  // namespace

TEST_CASE("bash completes commands, options and values") {
  if (!is_installed("bash")) ZEROTH_SKIP("bash is not installed");
  Lines const first = bash_offers({"zeroth", ""});
  for (std::string const& command : commands) CHECK(has(first, command));
  CHECK(has(first, "--version"));
  CHECK(bash_offers({"zeroth", "fi"}) == Lines{"finetune"});
  CHECK(bash_offers({"zeroth", "finetune", "--me"}) == Lines{"--method"});
  CHECK(bash_offers({"zeroth", "inspect", "--"}) == Lines{"--help", "--model", "--json"});

  CHECK(bash_offers({"zeroth", "finetune", "--method", ""}) == Lines{"s-mezo", "mezo", "r-mezo"});
  CHECK(bash_offers({"zeroth", "finetune", "--steps", "3", "--method", "s"}) == Lines{"s-mezo"});
  CHECK(bash_offers({"zeroth", "finetune", "--method", "=", "r"}) == Lines{"r-mezo"});
  CHECK(bash_offers({"zeroth", "finetune", "--method", "="}) == Lines{"s-mezo", "mezo", "r-mezo"});
  CHECK(bash_offers({"zeroth", "export", "--to", ""}) == Lines{"safetensors", "gguf", "gguf-lora"});
  CHECK(bash_offers({"zeroth", "completion", "z"}) == Lines{"zsh"});
  CHECK(bash_offers({"zeroth", "tasks", "movie"}) == Lines{"movie-reviews"});

  CHECK(bash_offers({"zeroth", "eval", "--model", "m"}) == Lines{"default"});
  CHECK(bash_offers({"zeroth", "eval", "--output", ""}) == Lines{"default"});
  CHECK(bash_offers({"zeroth", "finetune", "--out", "m"}) == Lines{"dirnames"});
  CHECK(bash_offers({"zeroth", "finetune", "--task", "ss"}) == Lines{"default", "sst2"});
  CHECK(bash_offers({"zeroth", "finetune", "--steps", ""}).empty());
  // A flag takes no value, and a value that is the name of a command does not change the command.
  CHECK(has(bash_offers({"zeroth", "finetune", "--overwrite", "--st"}), "--steps"));
  CHECK(bash_offers({"zeroth", "finetune", "--out", "eval", "--ou"}) == Lines{"--out"});
}

TEST_CASE("zsh is given commands, options and values") {
  if (!is_installed("zsh")) ZEROTH_SKIP("zsh is not installed");
  // The functions of zsh's completion system that the script calls.
  std::string const stubs = R"(
compdef() { print -r -- "compdef $*" }
_describe() { print -r -- "describe ${(P)2}" }
_arguments() { if [[ $1 == -C ]]; then line=($typed); state=$wanted; else print -rl -- "$@"; fi }
source "$1"
)";
  CHECK(has(run_shell("zsh", stubs), "compdef _zeroth zeroth"));
  Lines const described = run_shell("zsh", stubs + "wanted=command; _zeroth");
  for (std::string const& command : commands) CHECK_THAT(described.back(), contains_text(command + ":"));
  Lines const arguments = run_shell("zsh", stubs + "typed=(finetune); wanted=argument; _zeroth");
  CHECK(has(arguments, "--method=[which weights a step changes]:s-mezo|mezo|r-mezo:(s-mezo mezo r-mezo)"));
  CHECK(has(arguments, "--model=[model]:PATH:_files"));
  CHECK(has(arguments, "--out=[folder of the run]:DIR:_files -/"));
  CHECK(has(arguments, "--task=[task]:TASK:_zeroth_task"));
  CHECK(has(arguments, "--overwrite[replace an earlier run in DIR]"));
  CHECK(has(run_shell("zsh", stubs + "_alternative() { print -rl -- \"$@\" }\n_zeroth_task"), "files:file:_files"));
}

TEST_CASE("fish completes commands, options and values") {
  if (!is_installed("fish")) ZEROTH_SKIP("fish is not installed");
  // Each line is a word, a tab and its description.
  auto const offers = [](std::string const& line) {
    Lines lines = run_shell("fish", "source $argv[1]\ncomplete -C '" + line + "'\n");
    for (std::string& offer : lines) offer.resize(std::min(offer.find('\t'), offer.size()));
    return lines;
  };
  Lines const first = offers("zeroth ");
  for (std::string const& command : commands) CHECK(has(first, command));
  CHECK(offers("zeroth finetune --me") == Lines{"--method"});
  CHECK(offers("zeroth finetune --method s") == Lines{"s-mezo"});
  CHECK(offers("zeroth finetune --method=s") == Lines{"--method=s-mezo"});
  CHECK(has(offers("zeroth eval --model "), "script"));
  CHECK_FALSE(has(offers("zeroth finetune --out "), "script"));
  CHECK(offers("zeroth finetune --task ss") == Lines{"sst2"});
  CHECK(offers("zeroth finetune --steps ").empty());
  CHECK(offers("zeroth completion z") == Lines{"zsh"});
}

TEST_CASE("each command's help fits 80 columns and names what must be given") {
  for (std::string const& command : commands) {
    Outcome const help = run_program({command, "--help"});
    INFO(help.out);
    CHECK(help.exit_code == 0);
    CHECK_THAT(help.out, contains_text("Usage:\n  zeroth " + command));
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) {
      CHECK(line.size() <= 80);
      CHECK_FALSE(line.ends_with(' '));
    }
  }
  std::string const help = run_program({"finetune", "--help"}).out;
  CHECK_THAT(help, contains_text("zeroth finetune --model PATH --task TASK --data PATH --out DIR [OPTION]...\n"));
  CHECK_THAT(help, contains_text("  --method s-mezo|mezo|r-mezo\n                          which weights"));
  CHECK_THAT(help, contains_text("  --epsilon X             scale of the perturbation; default 0.001, 0.0001 for\n"));
  CHECK_THAT(help, contains_text("  --overwrite             replace an earlier run in DIR\n"));
  CHECK_THAT(run_program({"--help"}).out, contains_text("  finetune                Fine-tune a model"));
}

TEST_CASE("a word that the command line does not know is rejected before what is missing") {
  auto const rejection = [](std::vector<std::string> const& words) {
    Outcome const outcome = run_program(words);
    CHECK(outcome.exit_code == 2);
    return outcome.error;
  };
  CHECK(rejection({}) == "zeroth: error: expected a command, found none; see zeroth --help\n");
  CHECK(rejection({"finetun"}) == "zeroth: error: expected a command, found \"finetun\"; see zeroth --help\n");
  CHECK(rejection({"--verbose"}) ==
        "zeroth: error: expected an option of zeroth, found \"--verbose\"; see zeroth --help\n");
  CHECK(rejection({"eval", "--modle", "m"}) ==
        "zeroth: error: expected an option of zeroth eval, found \"--modle\"; see zeroth eval --help\n");
  CHECK(rejection({"eval"}) == "zeroth: error: expected --model, found none; see zeroth eval --help\n");
  CHECK_THAT(rejection({"completion", "tcsh"}), contains_text("expected one of bash, zsh, fish, found \"tcsh\""));
}

TEST_CASE("text is wrapped between words, with an indent from the second line on") {
  CHECK(zeroth::cli::wrapped("a bb ccc", 0, 80) == "a bb ccc\n");
  CHECK(zeroth::cli::wrapped("a bb ccc", 0, 4) == "a bb\nccc\n");
  CHECK(zeroth::cli::wrapped("a bb ccc", 2, 6) == "a bb\n  ccc\n");
  CHECK(zeroth::cli::wrapped("abcdefgh i", 0, 4) == "abcdefgh\ni\n");
  CHECK(zeroth::cli::wrapped("", 2, 4) == "\n");
}
