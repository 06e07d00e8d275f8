// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/parameters.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/random/data_order.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth_bench {

/// A loss with a known gradient, over its own weights.
class Function {
 public:
  Function() = default;
  Function(Function const&) = delete;
  Function& operator=(Function const&) = delete;
  virtual ~Function() = default;

  [[nodiscard]] virtual zeroth::ParameterSet const& parameters() const = 0;
  /// The losses of a probe's lanes, as an optimizer requests them.
  virtual void losses(zeroth::AnyProbe const& probe, std::span<double> out) = 0;
  /// The gradient at the current weights, all tensors one after the other.
  [[nodiscard]] virtual std::vector<double> gradient() const = 0;
};

/// Standard normal values for the data of functions, independent of any perturbation.
[[nodiscard]] inline std::vector<double> normal_values(std::size_t count, std::uint64_t seed) {
  std::vector<double> values(count);
  zeroth::RandomSource const source{seed, 0, 0, 0, zeroth::Purpose::data_order};
  for (std::size_t i = 0; i < count; ++i) values[i] = double{zeroth::normal_pair(source.block(i)[0]).first};
  return values;
}

/// A loss of one vector of weights, in f64.
class VectorFunction : public Function {
 public:
  /// @param noise standard deviation of the noise added to each evaluation of the loss, independently
  explicit VectorFunction(std::vector<float> weights, double noise = 0) : weights_(std::move(weights)), noise_(noise) {
    parameters_.add("weights", zeroth::Role::matrix, {1, weights_.size()}, weights_);
  }

  [[nodiscard]] zeroth::ParameterSet const& parameters() const override { return parameters_; }
  [[nodiscard]] std::vector<double> gradient() const override { return gradient(weights_); }

  void losses(zeroth::AnyProbe const& probe, std::span<double> out) override {
    lanes_.resize(out.size() * weights_.size());
    std::vector<float*> panels;
    for (std::size_t k = 0; k < out.size(); ++k) panels.push_back(&lanes_[k * weights_.size()]);
    probe.expand(0, 0, weights_.size(), panels);
    for (std::size_t k = 0; k < out.size(); ++k) {
      out[k] = value({panels[k], weights_.size()}, probe.step());
      if (noise_ != 0) {
        zeroth::RandomSource const source{1, 0, 1, 0, zeroth::Purpose::data_order};
        out[k] += noise_ * double{zeroth::normal_pair(source.block(evaluations_++)[0]).first};
      }
    }
  }

  /// @param step picks the batch, if the loss has batches
  [[nodiscard]] virtual double value(std::span<float const> theta, std::uint64_t step) const = 0;
  [[nodiscard]] virtual std::vector<double> gradient(std::span<float const> theta) const = 0;

 private:
  std::vector<float> weights_;
  double noise_;
  zeroth::ParameterSet parameters_;
  std::vector<float> lanes_;
  std::uint64_t evaluations_ = 0;
};

/// sum_i lambda_i (theta_i - centre_i)^2 / 2.
class Quadratic : public VectorFunction {
 public:
  Quadratic(std::vector<float> weights, std::vector<double> centre, std::vector<double> spectrum, double noise = 0)
      : VectorFunction(std::move(weights), noise), centre_(std::move(centre)), spectrum_(std::move(spectrum)) {}

  [[nodiscard]] double value(std::span<float const> theta, std::uint64_t /*step*/) const override {
    double sum = 0;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      double const away = double{theta[i]} - centre_[i];
      sum += spectrum_[i] * away * away;
    }
    return sum / 2;
  }
  using VectorFunction::gradient;
  [[nodiscard]] std::vector<double> gradient(std::span<float const> theta) const override {
    std::vector<double> g(theta.size());
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = spectrum_[i] * (double{theta[i]} - centre_[i]);
    return g;
  }

 private:
  std::vector<double> centre_;
  std::vector<double> spectrum_;
};

/// Rosenbrock's valley in each pair of weights, sum (1 - a)^2 + steepness (b - a^2)^2: not convex, with third and
/// fourth derivatives.
class Rosenbrock : public VectorFunction {
 public:
  Rosenbrock(std::vector<float> weights, double steepness, double noise = 0)
      : VectorFunction(std::move(weights), noise), steepness_(steepness) {}

  [[nodiscard]] double value(std::span<float const> theta, std::uint64_t /*step*/) const override {
    double sum = 0;
    for (std::size_t i = 0; i + 1 < theta.size(); i += 2) {
      double const a = double{theta[i]};
      double const off = double{theta[i + 1]} - a * a;
      sum += (1 - a) * (1 - a) + steepness_ * off * off;
    }
    return sum;
  }
  using VectorFunction::gradient;
  [[nodiscard]] std::vector<double> gradient(std::span<float const> theta) const override {
    std::vector<double> g(theta.size());
    for (std::size_t i = 0; i + 1 < g.size(); i += 2) {
      double const a = double{theta[i]};
      double const off = double{theta[i + 1]} - a * a;
      g[i] = -2 * (1 - a) - 4 * steepness_ * a * off;
      g[i + 1] = 2 * steepness_ * off;
    }
    return g;
  }

 private:
  double steepness_;
};

/// Logistic regression on examples drawn around a plane, in batches.
class Logistic : public VectorFunction {
 public:
  /// @param batch examples per evaluation, redrawn at each step; 0: all of them
  Logistic(std::size_t dimension, std::size_t examples, std::size_t batch)
      : VectorFunction(std::vector<float>(dimension, 0.0F)), batch_(batch), rows_(examples) {
    std::vector<double> const plane = normal_values(dimension, 1);
    std::vector<double> const features = normal_values(dimension * examples, 2);
    std::vector<double> const doubt = normal_values(examples, 3);
    for (std::size_t e = 0; e < examples; ++e) {
      rows_[e].assign(features.begin() + static_cast<std::ptrdiff_t>(e * dimension),
                      features.begin() + static_cast<std::ptrdiff_t>((e + 1) * dimension));
      double side = 0;
      for (std::size_t i = 0; i < dimension; ++i) side += rows_[e][i] * plane[i];
      double const label = side / std::sqrt(static_cast<double>(dimension)) + doubt[e] > 0 ? 1 : -1;
      for (double& feature : rows_[e]) feature *= label;
    }
  }

  [[nodiscard]] double value(std::span<float const> theta, std::uint64_t step) const override {
    std::size_t const count = batch_ == 0 ? rows_.size() : batch_;
    double sum = 0;
    for (std::size_t k = 0; k < count; ++k)
      sum += std::log1p(std::exp(-margin(theta, batch_ == 0 ? k : drawn(step, k))));
    return sum / static_cast<double>(count);
  }
  using VectorFunction::gradient;
  [[nodiscard]] std::vector<double> gradient(std::span<float const> theta) const override {
    std::vector<double> g(theta.size(), 0.0);
    for (std::vector<double> const& row : rows_) add_gradient(theta, row, 1.0 / static_cast<double>(rows_.size()), g);
    return g;
  }

  /// E |gradient of a batch - gradient|^2 at the current weights: the variance of one example's gradient, divided by
  /// the batch size.
  [[nodiscard]] double batch_variance() const {
    auto const* const data = static_cast<float const*>(parameters()[0].data);
    std::span<float const> const theta(data, static_cast<std::size_t>(parameters()[0].size()));
    std::vector<double> const mean = gradient(theta);
    double sum = 0;
    for (std::vector<double> const& row : rows_) {
      std::vector<double> g(theta.size(), 0.0);
      add_gradient(theta, row, 1, g);
      for (std::size_t i = 0; i < g.size(); ++i) sum += (g[i] - mean[i]) * (g[i] - mean[i]);
    }
    return batch_ == 0 ? 0 : sum / static_cast<double>(rows_.size() * batch_);
  }

 private:
  [[nodiscard]] std::size_t drawn(std::uint64_t step, std::size_t k) const {
    return static_cast<std::size_t>(zeroth::draw_example(4, static_cast<std::uint32_t>(step), k, rows_.size()));
  }
  [[nodiscard]] double margin(std::span<float const> theta, std::size_t row) const {
    double sum = 0;
    for (std::size_t i = 0; i < theta.size(); ++i) sum += double{theta[i]} * rows_[row][i];
    return sum;
  }
  static void add_gradient(std::span<float const> theta, std::vector<double> const& row, double weight,
                           std::vector<double>& g) {
    double margin = 0;
    for (std::size_t i = 0; i < theta.size(); ++i) margin += double{theta[i]} * row[i];
    double const slope = -weight / (1 + std::exp(margin));
    for (std::size_t i = 0; i < g.size(); ++i) g[i] += slope * row[i];
  }

  std::size_t batch_;
  std::vector<std::vector<double>> rows_;  // features times label
};

}  // namespace zeroth_bench
