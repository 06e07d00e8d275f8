// SPDX-License-Identifier: MIT
#include "metrics.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth_model/io/atomic_file.hpp>
#include <zeroth_model/io/json_file.hpp>

#include "io/json.hpp"
#include "io/text.hpp"

namespace zeroth::cli {
namespace {

namespace fs = std::filesystem;

Json to_json(StepMetrics const& metrics) {
  return {{"type", "step"},
          {"step", metrics.step},
          {"loss", metrics.loss},
          {"loss_base", or_null(metrics.loss_base)},
          {"loss_plus", or_null(metrics.loss_plus)},
          {"loss_minus", or_null(metrics.loss_minus)},
          {"projected_gradient", or_null(metrics.projected_gradient)},
          {"learning_rate", metrics.learning_rate},
          {"active_weights", metrics.active_weights},
          {"seconds", or_null(metrics.seconds)},
          {"skipped", metrics.skipped.empty() ? Json(nullptr) : Json(std::string(metrics.skipped))}};
}

Json to_json(EvaluationMetrics const& metrics) {
  return {{"type", type_of(metrics.set)}, {"step", metrics.step}, {"accuracy", or_null(metrics.accuracy)},
          {"metric", metrics.metric},     {"loss", metrics.loss}, {"examples", metrics.examples}};
}

double number_or_nan(model::JsonValue const& line, char const* key) {
  return line.find<double>(key).value_or(std::numeric_limits<double>::quiet_NaN());
}

/// Whether two numbers are the same in JSON, where numbers that are not finite are null.
bool is_same(double one, double other) {
  return one == other || (!std::isfinite(one) && !std::isfinite(other));
}

/// The metrics of a line, if they agree with the record in everything that the record has.
/// @throws InvalidFile if it is not such a line
std::optional<StepMetrics> read_line(model::JsonValue const& line, StepRecord const& record) {
  // Each number that the record lacks must be a number or null here.
  for (char const* key : {"loss_base", "loss_plus", "loss_minus", "projected_gradient"}) (void)line.find<double>(key);
  StepMetrics metrics;
  metrics.step = line.get<std::uint64_t>("step");
  metrics.seconds = line.find<double>("seconds");
  std::string const skipped = record.skipped() ? std::string(to_string(record.skip_reason)) : "";
  bool const same = line.has("type", "step") && metrics.step == record.step + 1 &&
                    is_same(number_or_nan(line, "loss"), record.loss) &&
                    static_cast<float>(line.get<double>("learning_rate")) == record.step_size &&
                    line.get<std::uint64_t>("active_weights") == record.active_weights &&
                    line.find<std::string>("skipped").value_or("") == skipped;
  return same ? std::optional(metrics) : std::nullopt;
}

/// The same for an evaluation.
std::optional<EvaluationMetrics> read_line(model::JsonValue const& line, EvaluationRecord const& record,
                                           double metric) {
  EvaluationMetrics const metrics{line.get<std::uint64_t>("step"),     line.find<double>("accuracy"),
                                  number_or_nan(line, "metric"),       number_or_nan(line, "loss"),
                                  line.get<std::uint64_t>("examples"), set_of(record)};
  bool const same = line.has("type", type_of(record.kind)) && metrics.step == record.step &&
                    is_same(metrics.metric, metric) && is_same(metrics.loss, record.loss) &&
                    metrics.examples == record.examples;
  return same ? std::optional(metrics) : std::nullopt;
}

/// What the journal says of a step.
StepMetrics metrics_of(StepRecord const& record) {
  StepMetrics metrics;
  metrics.step = record.step + 1;
  metrics.loss = record.loss;
  // The shortest decimal that rounds to the record's f32: most likely what the user typed.
  metrics.learning_rate = std::strtod(number_text(record.step_size).c_str(), nullptr);
  metrics.active_weights = record.active_weights;
  if (record.skipped()) metrics.skipped = to_string(record.skip_reason);
  return metrics;
}

/// What the journal says of an evaluation.
EvaluationMetrics metrics_of(EvaluationRecord const& record, Metric::Kind kind) {
  double const metric = kind == Metric::Kind::loss ? -record.score : record.score;
  return {record.step,     kind == Metric::Kind::accuracy ? std::optional(metric) : std::nullopt,
          metric,          record.loss,
          record.examples, set_of(record)};
}

/// What a line is about: the kind of its entry and its step.
using LineKey = std::pair<std::size_t, std::uint64_t>;
constexpr std::array<std::string_view, 3> line_types{"step", "evaluation", "validation"};

LineKey key_of(JournalEntry const& entry) {
  if (auto const* const step = std::get_if<StepRecord>(&entry)) return {0, step->step + 1};
  auto const& evaluation = std::get<EvaluationRecord>(entry);
  return {set_of(evaluation) == EvaluationSet::held_out ? 1 : 2, evaluation.step};
}

std::optional<LineKey> key_of(model::JsonValue const& line) {
  for (std::size_t i = 0; i < line_types.size(); ++i)
    if (line.has("type", line_types[i])) return LineKey{i, line.get<std::uint64_t>("step")};
  return std::nullopt;
}

/// Calls `use` with each line of a text that ends in a newline.
template <class Use>
void for_each_line(std::string_view text, Use const& use) {
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string_view::npos; begin = end + 1)
    use(text.substr(begin, end - begin));
}

MetricsLine line_of(JournalEntry const& entry, std::string_view found, std::string const& file, Metric::Kind kind) {
  auto const remade = [](auto const& metrics) {
    return MetricsLine{metrics, json_text(to_json(metrics)), /*is_remade=*/true};
  };
  auto const* const step = std::get_if<StepRecord>(&entry);
  auto const* const evaluation = std::get_if<EvaluationRecord>(&entry);
  try {
    if (found.empty()) throw InvalidFile(file + ": no such line");
    auto const line = model::JsonValue::parse(found, file);
    if (step != nullptr)
      if (auto const metrics = read_line(line, *step)) return {*metrics, std::string(found)};
    if (evaluation != nullptr)
      if (auto const metrics = read_line(line, *evaluation, metrics_of(*evaluation, kind).metric))
        return {*metrics, std::string(found)};
  } catch (InvalidFile const&) {
    // Not a line of this program: the journal decides.
  }
  return step != nullptr ? remade(metrics_of(*step)) : remade(metrics_of(*evaluation, kind));
}

std::string text_of(std::vector<MetricsLine> const& lines) {
  std::string text;
  for (MetricsLine const& line : lines) text += line.text + '\n';
  return text;
}

/// Makes the file begin with the lines, and returns their size in bytes.
std::uint64_t begin_with(fs::path const& path, std::vector<MetricsLine> const& lines) {
  std::string const text = text_of(lines);
  if (!fs::exists(path) || !read_text(path).starts_with(text)) {
    model::AtomicFile file(path.string());
    file.write(text);
    file.commit();
  }
  return text.size();
}

}  // namespace

std::vector<MetricsLine> metrics_of(std::vector<JournalEntry> const& entries, fs::path const& path,
                                    Metric const& metric) {
  std::string const file = path.string();
  std::string const text = fs::exists(path) ? read_text(path) : "";
  std::map<LineKey, std::string_view> found;
  for_each_line(text, [&](std::string_view line) {
    try {
      if (auto const key = key_of(model::JsonValue::parse(line, file))) found.insert_or_assign(*key, line);
    } catch (InvalidFile const&) {
      // Incomplete or damaged: ignored.
    }
  });
  std::vector<MetricsLine> lines;
  for (JournalEntry const& entry : entries) {
    auto const line = found.find(key_of(entry));
    lines.push_back(line_of(entry, line == found.end() ? "" : line->second, file, metric.kind));
  }
  return lines;
}

MetricsFile::MetricsFile(fs::path const& path, std::vector<MetricsLine> const& lines)
    : path_(path), file_(path, begin_with(path, lines)) {}

void MetricsFile::write(StepMetrics const& metrics) {
  file_.append(json_text(to_json(metrics)));
}

void MetricsFile::write(EvaluationMetrics const& metrics) {
  file_.append(json_text(to_json(metrics)));
}

void MetricsFile::synchronize() const {
  // The system has each line already, so that any descriptor of the file will do.
  int const descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  bool const done = descriptor >= 0 && ::fsync(descriptor) == 0;
  int const error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!done) throw InvalidFile(path_.string() + ": cannot write: " + std::strerror(error));
  model::detail::synchronize_directory(path_.has_parent_path() ? path_.parent_path() : ".");
}

}  // namespace zeroth::cli
