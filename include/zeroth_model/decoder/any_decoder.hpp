// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include <zeroth_model/decoder/decoder.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A decoder whose set of operations is chosen at run time. Owns it; one virtual call per batch.
class AnyDecoder {
 public:
  template <DecoderOps Ops>
  explicit AnyDecoder(Decoder<Ops> decoder) : decoder_(std::make_unique<Holder<Ops>>(std::move(decoder))) {}

  /// See Decoder::reserve.
  void reserve(BatchLimits const& limits) { decoder_->reserve(limits); }

  /// See Decoder::score.
  void score(PackedBatch const& batch, ScoreKind kind, std::span<double> out) { decoder_->score(batch, kind, out); }

  /// See Decoder::score.
  void score(PackedBatch const& batch, ScoreKind kind, AnyProbe const& probe, std::span<double> out) {
    decoder_->score(batch, kind, probe, out);
  }

  /// See Decoder::restart.
  void restart() { decoder_->restart(); }

  /// See Decoder::next.
  void next(std::span<std::int32_t const> tokens, std::span<double> logits) { decoder_->next(tokens, logits); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void reserve(BatchLimits const& limits) = 0;
    virtual void score(PackedBatch const& batch, ScoreKind kind, std::span<double> out) = 0;
    virtual void score(PackedBatch const& batch, ScoreKind kind, AnyProbe const& probe, std::span<double> out) = 0;
    virtual void restart() = 0;
    virtual void next(std::span<std::int32_t const> tokens, std::span<double> logits) = 0;
  };

  template <class Ops>
  struct Holder final : Base {
    explicit Holder(Decoder<Ops> held) : decoder(std::move(held)) {}
    void reserve(BatchLimits const& limits) override { decoder.reserve(limits); }
    void score(PackedBatch const& batch, ScoreKind kind, std::span<double> out) override {
      decoder.score(batch, kind, out);
    }
    void score(PackedBatch const& batch, ScoreKind kind, AnyProbe const& probe, std::span<double> out) override {
      decoder.score(batch, kind, probe, out);
    }
    void restart() override { decoder.restart(); }
    void next(std::span<std::int32_t const> tokens, std::span<double> logits) override { decoder.next(tokens, logits); }
    Decoder<Ops> decoder;
  };

  std::unique_ptr<Base> decoder_;
};

}  // namespace zeroth::ZEROTH_ISA::model
