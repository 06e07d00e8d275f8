// SPDX-License-Identifier: MIT
#include "journal_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/format.hpp"
#include "run/evaluation_set.hpp"

namespace zeroth::cli {
namespace {

struct Point {
  double x;
  double y;
};

/// A line or dots to draw.
struct Series {
  std::string name;
  std::string colour;
  double width;
  bool dots;
  std::vector<Point> points{};
};

constexpr double height = 380;
constexpr double panel_width = 480;
constexpr double left = 70;
constexpr double right = 20;
constexpr double top = 40;
constexpr double bottom = 50;

/// From the least to the greatest value; widened() is never empty.
struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }

  [[nodiscard]] Range widened() const {
    if (!(low <= high)) return {0, 1};
    double const margin = high > low ? 0 : std::max(std::abs(high), 1.0) / 2;
    return {low - margin, high + margin};
  }

  /// The distance between ticks: 1, 2 or 5 times a power of ten, so that there are four to ten.
  [[nodiscard]] double tick() const {
    double const coarse = (high - low) / 4;
    double const power = std::pow(10, std::floor(std::log10(coarse)));
    for (double factor : {5.0, 2.0})
      if (factor * power <= coarse) return factor * power;
    return power;
  }
};

/// One pair of axes, at `x` in the image.
class Panel {
 public:
  Panel(double x, std::string title, Range steps, std::vector<Series> series)
      : x_(x), title_(std::move(title)), steps_(steps.widened()), series_(std::move(series)) {
    for (Series const& one : series_)
      for (Point const& point : one.points) values_.include(point.y);
    values_ = values_.widened();
  }

  [[nodiscard]] std::string svg() const {
    std::string text = label((left_edge() + right_edge()) / 2, top - 18, "middle", title_) +
                       label((left_edge() + right_edge()) / 2, height - 12, "middle", "step");
    double const across = std::max(1.0, steps_.tick());
    for (double step = std::ceil(steps_.low / across) * across; step <= steps_.high; step += across)
      text += label(place_x(step), height - bottom + 18, "middle", format("%g", step));
    double const up = values_.tick();
    // Adding 0 turns -0 into 0.
    for (double i = std::ceil(values_.low / up); i * up <= values_.high; ++i)
      text += format("<path d=\"M%.1f %.1fH%.1f\" stroke=\"#dddddd\"/>\n", left_edge(), place_y(i * up), right_edge()) +
              label(left_edge() - 6, place_y(i * up) + 4, "end", format("%.6g", i * up + 0.0));
    text += format("<path d=\"M%.1f %.1fV%.1fH%.1f\" stroke=\"#666666\" fill=\"none\"/>\n", left_edge(), top,
                   height - bottom, right_edge());
    double line = top + 6;
    for (Series const& one : series_) {
      text += drawn(one);
      text += format("<path d=\"M%.1f %.1fh20\" stroke=\"%s\" stroke-width=\"%g\"/>\n", right_edge() - 26, line,
                     one.colour.c_str(), one.width) +
              label(right_edge() - 32, line + 4, "end", one.name);
      line += 18;
    }
    return text;
  }

 private:
  [[nodiscard]] double left_edge() const { return x_ + left; }
  [[nodiscard]] double right_edge() const { return x_ + panel_width - right; }
  [[nodiscard]] double place_x(double step) const {
    return left_edge() + (step - steps_.low) / (steps_.high - steps_.low) * (right_edge() - left_edge());
  }
  [[nodiscard]] double place_y(double value) const {
    return height - bottom - (value - values_.low) / (values_.high - values_.low) * (height - bottom - top);
  }

  static std::string label(double x, double y, char const* anchor, std::string const& text) {
    return format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor) + text + "</text>\n";
  }

  [[nodiscard]] std::string drawn(Series const& series) const {
    std::string text =
        "<polyline fill=\"none\" stroke=\"" + series.colour + format("\" stroke-width=\"%g\" points=\"", series.width);
    for (Point const& point : series.points) text += format("%.1f,%.1f ", place_x(point.x), place_y(point.y));
    text += "\"/>\n";
    for (Point const& point : series.points)
      if (series.dots)
        text += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", place_x(point.x), place_y(point.y),
                       series.colour.c_str());
    return text;
  }

  double x_;
  std::string title_;
  Range steps_;
  Range values_{};
  std::vector<Series> series_;
};

/// At most about 2000 points: of neighbours that would be drawn on top of each other, the lowest and the highest.
std::vector<Point> thinned(std::vector<Point> const& points) {
  std::size_t const together = points.size() / 1000;
  if (together < 3) return points;
  std::vector<Point> kept;
  for (std::size_t begin = 0; begin < points.size(); begin += together) {
    auto const first = points.begin() + static_cast<std::ptrdiff_t>(begin);
    auto const last = points.begin() + static_cast<std::ptrdiff_t>(std::min(begin + together, points.size()));
    auto const [low, high] = std::minmax_element(first, last, [](Point const& a, Point const& b) { return a.y < b.y; });
    kept.push_back(std::min(*low, *high, [](Point const& a, Point const& b) { return a.x < b.x; }));
    kept.push_back(std::max(*low, *high, [](Point const& a, Point const& b) { return a.x < b.x; }));
  }
  return kept;
}

std::vector<Point> running_mean(std::vector<Point> const& points, std::size_t width) {
  std::vector<Point> means;
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    sum += points[i].y - (i < width ? 0 : points[i - width].y);
    if (i + 1 >= width) means.push_back({points[i].x, sum / static_cast<double>(width)});
  }
  return means;
}

char const* colour_of(std::uint8_t kind) {
  constexpr std::array colours{"#c8553d", "#3d8f5f", "#8a5fb0", "#b08a2e"};
  return colours[kind % colours.size()];
}

}  // namespace

std::string journal_plot(Journal const& journal) {
  std::vector<Point> losses;
  std::map<std::uint8_t, std::pair<Series, Series>> evaluations;  // losses and scores of each kind
  Range steps;
  // A loss that is not finite cannot be drawn.
  auto add = [&](std::vector<Point>& points, double step, double value) {
    steps.include(step);
    if (std::isfinite(value)) points.push_back({step, value});
  };
  for (JournalEntry const& entry : journal.entries()) {
    if (auto const* const step = std::get_if<StepRecord>(&entry)) {
      add(losses, static_cast<double>(step->step) + 1, step->loss);
    } else {
      auto const& evaluation = std::get<EvaluationRecord>(entry);
      Series const series{set_name(evaluation.kind), colour_of(evaluation.kind), 2, true, {}};
      auto& [evaluated, scores] = evaluations.try_emplace(evaluation.kind, series, series).first->second;
      add(evaluated.points, static_cast<double>(evaluation.step), evaluation.loss);
      add(scores.points, static_cast<double>(evaluation.step), evaluation.score);
    }
  }
  std::size_t const width = std::max<std::size_t>(1, losses.size() / 20);
  std::vector<Series> drawn{
      {"each step", "#c9d6e8", 1, false, thinned(losses)},
      {"mean of " + std::to_string(width), "#2f6db5", 2, false, thinned(running_mean(losses, width))}};
  std::vector<Series> judged;
  for (auto const& [kind, series] : evaluations) {
    if (series.second.points.empty()) continue;
    drawn.push_back(series.first);
    judged.push_back(series.second);
  }
  std::string panels = Panel(0, "Loss", steps, std::move(drawn)).svg();
  if (!judged.empty()) panels += Panel(panel_width, "Score", steps, judged).svg();
  double const all = judged.empty() ? panel_width : 2 * panel_width;
  return format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" "
             "font-family=\"Helvetica, sans-serif\" font-size=\"13\" fill=\"#333333\">\n",
             all, height, all, height) +
         "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" + panels + "</svg>\n";
}

}  // namespace zeroth::cli
