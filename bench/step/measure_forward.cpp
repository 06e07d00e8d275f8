// SPDX-License-Identifier: MIT
#include <algorithm>
#include <vector>

#include <zeroth/backend/eigen.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth_model/io/gguf/load_gguf.hpp>

#include "../measure.hpp"
#include "../micro/peaks.hpp"
#include "batch.hpp"
#include "case.hpp"
#include "machine.hpp"

namespace zeroth_bench {
namespace {

using zeroth::model::DecoderWeights;

enum class Divide { tokens, weight_rows };

/// Eigen's own products, each divided into as many pieces as there are threads.
class EigenProducts {
 public:
  EigenProducts(DecoderWeights const& weights, std::vector<Product> const& products, zeroth::AnyExecutor executor)
      : weights_(weights), products_(products), executor_(executor) {
    for (Product const& p : products) {
      auto const w = map(p);
      auto const tokens = static_cast<Eigen::Index>(p.tokens);
      if (x_.rows() * x_.cols() < tokens * w.cols()) x_ = Matrix::Constant(tokens, w.cols(), 0.5F);
      if (y_.rows() * y_.cols() < tokens * w.rows()) y_ = Matrix::Zero(tokens, w.rows());
    }
  }

  void run(Divide divide) {
    for (Product const& p : products_) {
      auto const w = map(p);
      auto const tokens = static_cast<Eigen::Index>(p.tokens);
      Eigen::Map<Matrix const> const x(x_.data(), tokens, w.cols());
      Eigen::Map<Matrix> y(y_.data(), tokens, w.rows());
      Eigen::Index const divided = divide == Divide::tokens ? tokens : w.rows();
      auto const pieces = static_cast<Eigen::Index>(executor_.concurrency());
      executor_.parallel_for(static_cast<std::size_t>(pieces), [&](std::size_t piece) {
        Eigen::Index const first = divided * static_cast<Eigen::Index>(piece) / pieces;
        Eigen::Index const count = divided * static_cast<Eigen::Index>(piece + 1) / pieces - first;
        if (divide == Divide::tokens)
          y.middleRows(first, count).noalias() = x.middleRows(first, count) * w.transpose();
        else
          y.middleCols(first, count).noalias() = x * w.middleRows(first, count).transpose();
      });
    }
  }

 private:
  using Matrix = zeroth::model::RowMajorMatrix;

  [[nodiscard]] Eigen::Map<Matrix> map(Product const& p) const {
    return zeroth::EigenBackend::map(weights_.parameters()[p.parameter]);
  }

  DecoderWeights const& weights_;
  std::vector<Product> const& products_;
  zeroth::AnyExecutor executor_;
  Matrix x_;
  Matrix y_;
};

}  // namespace

nlohmann::json measure_forward(std::size_t tokens, Operations operations, Settings const& settings) {
  zeroth::ThreadPool const executor(settings.threads);
  DecoderWeights const weights = zeroth::model::load_gguf(zeroth::model::GgufFile(settings.model));
  auto decoder = make_decoder(weights, operations, zeroth::AnyExecutor(executor));
  zeroth::model::CandidateScorer scorer(decoder);
  auto const batch = random_batch(tokens, weights.config().vocabulary);
  auto const products = products_of(weights, tokens);
  double const work = operations_of(weights, products);
  EigenProducts eigen(weights, products, zeroth::AnyExecutor(executor));

  std::vector<double> forward;  // operations per second, each round
  std::vector<double> gemm;
  std::vector<double> peak;
  for (int round = -1; round < settings.rounds; ++round) {
    double const f = work / seconds([&] { scorer.score(batch); });
    double const by_tokens = work / seconds([&] { eigen.run(Divide::tokens); });
    double const by_rows = work / seconds([&] { eigen.run(Divide::weight_rows); });
    double const fma = measure_peaks(executor, std::size_t{8} << 20).fma;
    if (round < 0) continue;  // the first one allocates
    forward.push_back(f);
    gemm.push_back(std::max(by_tokens, by_rows));
    peak.push_back(fma);
  }
  nlohmann::json result;
  put(result, "forward_over_eigen_products", ratio(forward, gemm));
  put(result, "forward_share_of_peak", ratio(forward, peak));
  put(result, "forward_flops", spread(forward));
  put(result, "eigen_products_flops", spread(gemm));
  put(result, "peak_flops", spread(peak));
  return result;
}

}  // namespace zeroth_bench
