// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <variant>

#include <zeroth/journal_file.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth_model/text/printable.hpp>

#include "commands.hpp"
#include "io/format.hpp"
#include "io/json.hpp"
#include "io/output.hpp"
#include "io/standard_streams.hpp"
#include "io/text.hpp"
#include "run/journal_plot.hpp"
#include "run/metrics.hpp"
#include "run/run_lock.hpp"

namespace zeroth::cli {
namespace {

Json to_json(std::vector<JournalField> const& fields) {
  Json json = Json::object();
  for (JournalField const& field : fields) json[field.name] = field.value;
  return json;
}

Json to_json(JournalTensor const& tensor) {
  return {{"name", tensor.name},
          {"role", to_string(tensor.role)},
          {"dtype", to_string(tensor.dtype)},
          {"shape", {tensor.shape.rows, tensor.shape.columns}},
          {"stream", tensor.stream},
          {"offset", tensor.offset}};
}

/// Steps count from 1, as in metrics.jsonl.
Json to_json(StepRecord const& record) {
  return {{"type", "step"},
          {"step", record.step + 1},
          {"loss", record.loss},
          {"learning_rate", record.step_size},
          {"decay", record.decay},
          {"coefficients", record.coefficients},
          {"active_weights", record.active_weights},
          {"skipped", record.skipped() ? Json(to_string(record.skip_reason)) : Json(nullptr)},
          {"arithmetic", to_string(record.arithmetic)},
          {"abandoned", record.abandoned}};
}

Json to_json(EvaluationRecord const& record) {
  return {{"type", type_of(record.kind)},
          {"step", record.step},
          {"score", record.score},
          {"loss", record.loss},
          {"examples", record.examples}};
}

Json to_json(RecoveredJournal const& recovered) {
  Journal const& journal = recovered.journal;
  JournalHeader const& header = journal.header();
  Json json{{"noise_version", header.noise_version},
            {"base_hash", hexadecimal(header.base_hash)},
            {"samples", header.samples},
            {"fields", to_json(header.fields)},
            {"notes", to_json(header.notes)},
            {"tensors", Json::array()},
            {"steps", journal.steps()},
            {"bytes", journal.size()},
            {"damaged_bytes", recovered.is_damaged() ? recovered.left_bytes : 0},
            {"records", Json::array()}};
  for (JournalTensor const& tensor : header.tensors) json["tensors"].push_back(to_json(tensor));
  for (JournalEntry const& entry : journal.entries())
    json["records"].push_back(std::visit([](auto const& record) { return to_json(record); }, entry));
  return json;
}

constexpr std::size_t journal_fact_width = 24;

void print_header(Journal const& journal) {
  JournalHeader const& header = journal.header();
  std::uint64_t weights = 0;
  for (JournalTensor const& tensor : header.tensors) weights += tensor.shape.size();
  print_fact(journal_fact_width, "base weights", hexadecimal(header.base_hash));
  print_fact(journal_fact_width, "noise", "version " + std::to_string(header.noise_version));
  print_fact(journal_fact_width, "tensors",
             std::to_string(header.tensors.size()) + ", " + std::to_string(weights) + " weights");
  print_fact(journal_fact_width, "samples", std::to_string(header.samples));
  for (auto const* fields : {&header.fields, &header.notes})
    for (JournalField const& field : *fields) print_fact(journal_fact_width, field.name, field.value);
  print_fact(journal_fact_width, "records",
             std::to_string(journal.steps()) + " steps, " + std::to_string(journal.entries().size() - journal.steps()) +
                 " evaluations, " + human_bytes(journal.size()));
  if (auto const best = best_evaluation(journal, static_cast<std::uint8_t>(EvaluationSet::validation)))
    print_fact(journal_fact_width, "best validation",
               "step " + std::to_string(best->step) + ", score " + number_text(unsigned_nan(best->score)) + ", loss " +
                   number_text(unsigned_nan(best->loss)));
}

std::string line_of(StepRecord const& record) {
  std::string line = format("%8llu  %-10s  %12.6g  %12.6g ", static_cast<unsigned long long>(record.step) + 1, "step",
                            unsigned_nan(record.loss), static_cast<double>(record.step_size));
  if (record.skipped()) line += "  skipped: " + std::string(to_string(record.skip_reason));
  for (float coefficient : record.coefficients)
    line += format(" %13.6g", unsigned_nan(static_cast<double>(coefficient)));
  return line + "\n";
}

std::string line_of(EvaluationRecord const& record) {
  return format("%8llu  %-10s  %12.6g  %12s   score %.6g on %llu examples\n",
                static_cast<unsigned long long>(record.step), set_name(record.kind).c_str(), unsigned_nan(record.loss),
                "", unsigned_nan(record.score), static_cast<unsigned long long>(record.examples));
}

int repair(std::filesystem::path const& path) {
  std::error_code error;
  std::filesystem::path const target = std::filesystem::canonical(path, error);
  if (error) throw InvalidFile(path.string() + ": cannot open: " + error.message());
  // The run that the journal belongs to must not start or resume meanwhile.
  RunLock const lock(target.parent_path(), path.string(), RunLock::Folder::must_exist);
  std::optional<JournalCut> const cut = repair_journal(target.string());
  print(path.string() + ": " + (cut ? cut->text() : "undamaged, nothing to repair") + "\n");
  return 0;
}

void warn_of_damage(RecoveredJournal const& recovered, std::string const& path) {
  if (!recovered.is_damaged()) return;
  tell(
      "zeroth: warning: " + path + ": " + recovered.damage() +
      "; only what comes before is shown. zeroth journal --repair, like --resume, moves the rest to a file next to it");
}

}  // namespace

int run(JournalOptions const& options) {
  if (options.repair) return repair(options.journal);
  RecoveredJournal const recovered = recover_journal(options.journal.string());
  Journal const& journal = recovered.journal;
  warn_of_damage(recovered, options.journal.string());
  if (!options.plot.empty()) {
    check_writable(options.plot, {options.journal});
    OutputFile image(options.plot);
    image.write(journal_plot(journal));
    image.finish();
    // In the same file or pipe as the image, the name would become part of it.
    if (!leads_to_standard_output(options.plot)) print_name(options.plot);
  } else if (options.json) {
    print(json_text(to_json(recovered), 2) + "\n");
  } else {
    print_header(journal);
    print(format("\n%8s  %-10s  %12s  %12s  %13s\n", "step", "record", "loss", "rate", "coefficients"));
    for (JournalEntry const& entry : journal.entries())
      print(std::visit([](auto const& record) { return line_of(record); }, entry));
  }
  return 0;
}

}  // namespace zeroth::cli
