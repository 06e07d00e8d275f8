// SPDX-License-Identifier: MIT
#include <zeroth/journal.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/sampler/rademacher.hpp>

#include "catch.hpp"
#include "support.hpp"

namespace {

using zeroth::CpuBackend;
using zeroth::EvaluationRecord;
using zeroth::Gaussian;
using zeroth::Journal;
using zeroth::JournalEntry;
using zeroth::JournalHeader;
using zeroth::Options;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::SmallestMagnitude;
using zeroth::StepRecord;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::contains_text;
using zeroth_test::SmallRun;

using Bytes = std::vector<std::byte>;

/// The journal of a run of that many steps, and the weights after each.
struct Run {
  Journal journal;
  std::vector<std::vector<std::uint32_t>> weights;
};

Run run(std::uint64_t steps, Options const& options = SmallRun::options(), bool in_place = false) {
  SmallRun small;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, options);
  Run result{Journal(make_journal_header(optimizer, {{"row_order", "mine"}})), {small.bits()}};
  while (optimizer.steps() < steps) {
    if (optimizer.steps() % 4 == 0)
      result.journal.append(EvaluationRecord{.step = optimizer.steps(), .score = 1, .examples = 5});
    result.journal.append(in_place ? optimizer.step(small.in_place()) : optimizer.step(small.fused()));
    result.weights.push_back(small.bits());
  }
  return result;
}

std::vector<std::uint32_t> replayed(Journal const& journal, std::uint64_t until, Options const& options) {
  SmallRun small;
  ZerothOrderOptimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, ReferenceBackend{}, options);
  replay(journal, optimizer, {.until = until, .notes = {{"row_order", "mine"}}});
  CHECK(optimizer.steps() == until);
  return small.bits();
}

TEST_CASE("a journal and the base weights are the weights after any step") {
  for (bool in_place : {false, true})
    for (Restore restore : {Restore::arithmetic, Restore::exact}) {
      Options options = SmallRun::options();
      options.restore = restore;
      Run const expected = run(10, options, in_place);
      Journal const read = Journal::read(expected.journal.bytes(), "run");
      for (std::uint64_t step = 0; step <= 10; ++step) CHECK(replayed(read, step, options) == expected.weights[step]);
    }
}

TEST_CASE("a journal cut at any byte is read up to its last whole record") {
  Run const expected = run(6);
  Bytes const bytes = expected.journal.bytes();
  std::size_t const header = Journal(expected.journal.header()).size();
  std::size_t const record = (bytes.size() - header) / expected.journal.entries().size();
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    INFO(size);
    auto const cut = std::span(bytes).first(size);
    if (size < header) {
      CHECK_THROWS_AS(Journal::read(cut, "cut"), zeroth::InvalidFile);
      continue;
    }
    Journal const read = Journal::read(cut, "cut");
    CHECK(read.entries().size() == (size - header) / record);
    CHECK(read.size() == header + read.entries().size() * record);
  }
}

TEST_CASE("any wrong bit of a journal is noticed, and recovery goes to the record before it") {
  Run const expected = run(3);
  Bytes bytes = expected.journal.bytes();
  std::size_t const header = Journal(expected.journal.header()).size();
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] ^= std::byte{1} << bit;
      INFO(at << " " << bit);
      CHECK_THROWS_AS(Journal::read(bytes, "wrong"), zeroth::InvalidFile);
      if (at >= header) CHECK(Journal::recover(bytes, "wrong").entries().size() == (at - header) / 48);
      bytes[at] ^= std::byte{1} << bit;
    }
}

TEST_CASE("records that did not get to the disk, or whole ones after them, are never left out without a word") {
  Run const expected = run(6);
  Bytes const bytes = expected.journal.bytes();
  std::size_t const header = Journal(expected.journal.header()).size();
  auto check = [&](Bytes const& damaged, std::size_t good) {
    Journal const recovered = Journal::recover(damaged, "damaged");
    CHECK(recovered.entries().size() == good);
    CHECK(recovered.size() == header + good * 48);
    CHECK_THROWS_WITH(Journal::read(damaged, "damaged"),
                      contains_text("damaged: record " + std::to_string(good) + ", after "));
  };
  Bytes torn = bytes;
  std::fill(torn.end() - 3 * 48 - 5, torn.end(), std::byte{0});
  check(torn, 4);
  for (std::size_t i = 0; i < expected.journal.entries().size(); ++i) {
    INFO(i);
    auto const place = static_cast<std::ptrdiff_t>(header + i * 48);
    Bytes hole = bytes;
    std::fill_n(hole.begin() + place, 48, std::byte{0});
    check(hole, i);
    Bytes doubled = bytes;
    doubled.insert(doubled.begin() + place, bytes.begin() + place, bytes.begin() + place + 48);
    check(doubled, i + 1);
    if (i + 1 == expected.journal.entries().size()) continue;
    Bytes dropped = bytes;
    dropped.erase(dropped.begin() + place, dropped.begin() + place + 48);
    check(dropped, i);
  }
}

TEST_CASE("what is wrong with a journal is named") {
  Run const expected = run(6);
  Bytes const bytes = expected.journal.bytes();
  std::size_t const header = Journal(expected.journal.header()).size();
  auto refused = [&](auto change, std::string const& message) {
    Bytes changed = bytes;
    change(changed);
    CHECK_THROWS_WITH(Journal::read(changed, "run.journal"), contains_text(message));
  };
  refused([](Bytes& b) { b.clear(); }, "run.journal: expected a journal of zeroth, found something else");
  refused([](Bytes& b) { b.erase(b.begin() + 4); }, "expected a journal of zeroth");  // CR LF became LF
  refused([](Bytes& b) { b[8] = std::byte{2}; }, "run.journal: expected format version 1, found 2");
  refused([&](Bytes& b) { b.resize(header - 1); }, "header: expected " + std::to_string(header) + " bytes, found");
  refused([&](Bytes& b) { b[header - 9] ^= std::byte{1}; }, "header: damaged");
  // The third record is the second step: the first is an evaluation.
  refused([&](Bytes& b) { b[header + 2 * 48 + 20] ^= std::byte{1}; }, "record 2, after 1 steps, is damaged");
}

TEST_CASE("records of another journal, or at another place, are noticed") {
  Bytes bytes = run(6).journal.bytes();
  Options other = SmallRun::options();
  other.seed = 9;
  Bytes const others = run(6, other).journal.bytes();
  REQUIRE(bytes.size() == others.size());
  Bytes mixed = bytes;
  std::copy(others.end() - 96, others.end() - 48, mixed.end() - 96);
  CHECK_THROWS_WITH(Journal::read(mixed, "mixed"), contains_text("damaged"));
  std::swap_ranges(bytes.end() - 96, bytes.end() - 48, bytes.end() - 144);
  CHECK_THROWS_WITH(Journal::read(bytes, "swapped"), contains_text("damaged"));
}

TEST_CASE("what cannot be the next entry is rejected, and the journal stays") {
  Run expected = run(3);
  Journal& journal = expected.journal;
  Bytes const before = journal.bytes();
  auto refused = [&](JournalEntry const& entry, std::string const& message) {
    CHECK_THROWS_WITH(journal.append(entry), contains_text(message));
    CHECK(journal.bytes() == before);
  };
  refused(StepRecord{.step = 2, .coefficients = {1, 2}}, "step 2: expected step 3 to come next");
  refused(StepRecord{.step = 3, .coefficients = {1}}, "step 3: expected coefficients of 2 samples, found 1");
  refused(EvaluationRecord{.step = 2}, "evaluation at step 2: expected one at step 3");
  CHECK_THROWS_WITH(Journal(zeroth::JournalHeader{.samples = 0}), contains_text("samples must be in [1, 4096], got 0"));
  CHECK_THROWS_WITH(Journal(zeroth::JournalHeader{.notes = {{"a", "b\n"}}}),
                    contains_text("expected text without control characters"));
}

TEST_CASE("a journal is rejected for an optimizer that differs, and the difference is named") {
  Journal const journal = run(2).journal;
  Options const same = SmallRun::options();
  auto refused = [&](auto sampler, auto mask, auto update, auto estimator, Options const& options,
                     std::string const& message, std::string const& row_order = "mine") {
    SmallRun small;
    std::vector<std::uint32_t> const before = small.bits();
    ZerothOrderOptimizer optimizer(small.parameters(), sampler, mask, CpuBackend{}, update, estimator, options);
    CHECK_THROWS_WITH(replay(journal, optimizer, {.notes = {{"row_order", row_order}}, .source = "run.journal"}),
                      contains_text("run.journal: " + message));
    CHECK(small.bits() == before);
  };
  SmallestMagnitude const mask;
  zeroth::Sgd const sgd;
  zeroth::CentralDifference const central;
  refused(zeroth::Rademacher{}, mask, sgd, central, same,
          "sampler: expected rademacher, as in the optimizer, found gaussian");
  refused(Gaussian{}, zeroth::Dense{}, sgd, central, same, "mask: expected dense");
  refused(Gaussian{}, SmallestMagnitude{0.5}, sgd, central, same, "mask: expected smallest-magnitude(sparsity=0.5");
  refused(Gaussian{}, mask, zeroth::SignSgd{}, central, same, "update: expected sign-sgd(weight_decay=0)");
  refused(Gaussian{}, mask, zeroth::Sgd{0.1}, central, same, "update: expected sgd(weight_decay=0.1)");
  refused(Gaussian{}, mask, sgd, zeroth::OneSided{}, same, "estimator: expected one-sided");
  refused(Gaussian{}, mask, sgd, central, {.epsilon = 2e-3, .samples = 2, .seed = 8}, "epsilon: expected 0.002");
  refused(Gaussian{}, mask, sgd, central, {.samples = 2, .seed = 9}, "seed: expected 9, as in the optimizer, found 8");
  refused(Gaussian{}, mask, sgd, central, {.samples = 1, .seed = 8}, "samples: expected 1");
  refused(Gaussian{}, mask, sgd, central, same, "row_order: expected theirs, found mine in the notes of the run",
          "theirs");
}

TEST_CASE("a journal is rejected for other tensors and other weights, and the difference is named") {
  Journal const journal = run(2).journal;
  auto refused = [&](auto change, std::string const& message) {
    SmallRun small;
    std::vector<zeroth::Parameter> changed(small.parameters().begin(), small.parameters().end());
    change(changed);
    zeroth::ParameterSet parameters;
    for (zeroth::Parameter const& p : changed) parameters.add(p);
    SmallRun::Optimizer optimizer(parameters, Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
    CHECK_THROWS_WITH(replay(journal, optimizer), contains_text("journal: " + message));
  };
  using Tensors = std::vector<zeroth::Parameter>;
  refused([](Tensors& t) { t.pop_back(); }, "tensor 'blk.1.w': expected one of the optimizer's 2 tensors");
  refused([](Tensors& t) { t[1].name = "blk.0.other"; },
          "tensor 'blk.0.norm': expected one of the optimizer's 3 tensors");
  refused([](Tensors& t) { t[0].role = zeroth::Role::head; }, "tensor 'blk.0.w': role: expected head");
  refused([](Tensors& t) { t[0].shape = {3, 67}; }, "tensor 'blk.0.w': shape: expected 3 x 67");
  refused([](Tensors& t) { t[0].stream = 5; }, "tensor 'blk.0.w': noise stream: expected 5");
  refused([](Tensors& t) { t[2].offset = 128; }, "tensor 'blk.1.w': offset: expected 128");
  refused([](Tensors& t) { static_cast<float*>(t[2].data)[129] += 1e-6F; },
          "base weights: expected those with hash 0x");
  JournalHeader fewer = journal.header();
  fewer.tensors.pop_back();
  SmallRun small;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
  CHECK_THROWS_WITH(
      replay(Journal(fewer), optimizer),
      contains_text("tensor 'blk.1.w': expected, as in the optimizer, found only the run's 2 other tensors"));
}

TEST_CASE("a journal of another version of the noise is read, but not replayed") {
  zeroth::JournalHeader header = run(0).journal.header();
  header.noise_version = 2;
  Journal const journal = Journal::read(Journal(header).bytes(), "run.journal");
  SmallRun small;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
  CHECK_THROWS_WITH(replay(journal, optimizer), contains_text("expected version 1 of the noise, found 2"));
}

TEST_CASE("replay wants an optimizer before its first step and steps that are there") {
  Journal const journal = run(2).journal;
  SmallRun small;
  SmallRun::Optimizer optimizer(small.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, SmallRun::options());
  CHECK_THROWS_WITH(replay(journal, optimizer, {.until = 3}), contains_text("expected at least 3 steps, found 2"));
  optimizer.step(small.fused());
  CHECK_THROWS_WITH(replay(journal, optimizer), contains_text("before its first step, found one after 1"));
}

TEST_CASE("the best evaluation of a kind has the highest score, then the lowest loss, then comes first") {
  Journal journal(run(0).journal.header());
  CHECK_FALSE(best_evaluation(journal, 7));
  journal.append(EvaluationRecord{0, 200, 9, 0, 1});
  CHECK_FALSE(best_evaluation(journal, 7));
  auto evaluated = [&](double score, double loss) {
    journal.append(StepRecord{.step = journal.steps(), .coefficients = {1, 1}});
    journal.append(EvaluationRecord{journal.steps(), 7, score, loss, 1});
    return best_evaluation(journal, 7)->step;
  };
  CHECK(evaluated(0.5, 1.0) == 1);
  CHECK(evaluated(0.4, 0.5) == 1);
  CHECK(evaluated(0.5, 1.0) == 1);
  CHECK(evaluated(0.5, 0.9) == 4);
  CHECK(evaluated(0.6, 2.0) == 5);
  journal.truncate(journal.entries().size() - 2);
  CHECK(journal.steps() == 4);
  CHECK(best_evaluation(journal, 7)->step == 4);
}

}  // namespace
