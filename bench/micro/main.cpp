// SPDX-License-Identifier: MIT
// The cost of each part of a step: bench_micro [--threads=N] [OPTION OF Google Benchmark]...

#include "micro.hpp"

int main(int argc, char** argv) {
  using namespace zeroth;
  zeroth_bench::Micro micro(argc, argv);
  SmallestMagnitude const small{};

  micro.sampler(Gaussian{});
  micro.sampler(Uniform{});
  micro.sampler(Rademacher{});
  micro.mask(small);
  micro.mask(RandomMask{});
  micro.quantile();
  micro.perturb(Gaussian{}, Dense{});
  micro.perturb(Gaussian{}, small);
  micro.perturb(Rademacher{}, Dense{});
  micro.perturb(Rademacher{}, small);
  micro.expand(Gaussian{}, Dense{});
  micro.expand(Gaussian{}, small);
  micro.expand(Gaussian{}, RandomMask{});
  micro.expand(Rademacher{}, Dense{});
  micro.expand(Rademacher{}, small);
  micro.update(Gaussian{}, Dense{}, Sgd{});
  micro.update(Gaussian{}, small, Sgd{});
  micro.update(Gaussian{}, small, Sgd{.weight_decay = 0.1});
  micro.update(Gaussian{}, small, SignSgd{});
  micro.update(Rademacher{}, Dense{}, Sgd{});
  micro.update(Rademacher{}, small, Sgd{});
  micro.step(Gaussian{}, Dense{}, CentralDifference{});
  micro.step(Gaussian{}, small, CentralDifference{});
  micro.step(Gaussian{}, small, OneSided{});
  micro.step(Rademacher{}, small, CentralDifference{});
  micro.step(Rademacher{}, Dense{}, Fzoo{});
  micro.in_place(Gaussian{}, Dense{});
  micro.in_place(Gaussian{}, small);
  micro.in_place(Rademacher{}, Dense{});
  micro.in_place(Rademacher{}, small);
  micro.replay(Gaussian{}, Sgd{});
  micro.replay(Gaussian{}, Momentum{});
  micro.replay(Gaussian{}, Adam{});
  micro.replay(Gaussian{}, WindowMomentum{});
  return micro.run();
}
