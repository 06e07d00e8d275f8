// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <utility>
#include <vector>

#include <zeroth_model/tokenizer/merge_table.hpp>
#include <zeroth_model/tokenizer/table_tokenizer.hpp>
#include <zeroth_model/tokenizer/token_table.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The tokens and merges of a byte-pair tokenizer, independent of what its tokens represent and how words are split.
class MergingTokenizer : public TableTokenizer {
 public:
  /// The merges in order of rank.
  [[nodiscard]] std::span<MergeTable::Merge const> merges() const { return merges_.merges(); }

 protected:
  /// With merges by text or, if there are none, by id. Throws InvalidArgument for texts or ids that are not tokens of
  /// the model.
  MergingTokenizer(TokenTableData const& data, std::span<MergeTexts const> merges,
                   std::vector<MergeTable::Merge> by_id = {})
      : TableTokenizer(data),
        merges_(merges.empty() ? detail::checked_merges(table_, std::move(by_id))
                               : detail::resolve_merges(table_, merges)) {}

  MergeTable merges_;
};

}  // namespace zeroth::ZEROTH_ISA::model
