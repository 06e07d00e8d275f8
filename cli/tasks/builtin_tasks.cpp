// SPDX-License-Identifier: MIT
#include "builtin_tasks.hpp"

#include <array>

namespace zeroth::cli {
namespace {

constexpr std::array<BuiltinTask, 8> tasks{{
    {"sst2", R"json({
  "description": "SST-2: is a sentence about a film positive?",
  "folder": "SST-2",
  "files": {"train": "train.tsv", "held_out": "dev.tsv"},
  "format": "tsv",
  "fields": {"text": ["sentence", "content"]},
  "prompt": "{text|strip} It was",
  "candidates": [" terrible", " great"],
  "label": {"field": "label", "values": {"0": 0, "1": 1}},
  "metric": "accuracy",
  "score": "mean"
}
)json"},
    {"rte", R"json({
  "description": "RTE (SuperGLUE): does a premise mean that a hypothesis is true?",
  "folder": "RTE",
  "files": {"train": "train.jsonl", "held_out": "val.jsonl"},
  "format": "jsonl",
  "prompt": "{premise}\nDoes this mean that \"{hypothesis}\" is true? Yes or No?\n",
  "candidates": ["Yes", "No"],
  "label": {"field": "label", "values": {"entailment": 0, "not_entailment": 1}},
  "metric": "accuracy",
  "score": "mean"
}
)json"},
    {"wic", R"json({
  "description": "WiC (SuperGLUE): does a word have the same meaning in two sentences?",
  "folder": "WiC",
  "files": {"train": "train.jsonl", "held_out": "val.jsonl"},
  "format": "jsonl",
  "prompt": "Does the word \"{word}\" have the same meaning in these two sentences? Yes, No?\n{sentence1}\n{sentence2}\n",
  "candidates": ["No", "Yes"],
  "label": {"field": "label", "values": {"false": 0, "true": 1}},
  "metric": "accuracy",
  "score": "mean"
}
)json"},
    {"copa", R"json({
  "description": "COPA (SuperGLUE): which of two sentences is the cause or the effect of a third?",
  "folder": "COPA",
  "files": {"train": "train.jsonl", "held_out": "val.jsonl"},
  "format": "jsonl",
  "fields": {"conjunction": {"from": "question", "values": {"cause": "because", "effect": "so"}}},
  "prompt": "{premise|strip|drop_period} {conjunction}",
  "candidates": [" {choice1|strip|lower_first_word}", " {choice2|strip|lower_first_word}"],
  "label": {"field": "label", "values": {"0": 0, "1": 1}},
  "metric": "accuracy",
  "score": "mean",
  "shared_beginning": "candidate"
}
)json"},
    {"multirc", R"json({
  "description": "MultiRC (SuperGLUE): is this an answer to a question on a paragraph?",
  "folder": "MultiRC",
  "files": {"train": "train.jsonl", "held_out": "val.jsonl"},
  "format": "jsonl",
  "examples": "passage.questions[].answers[]",
  "fields": {
    "paragraph": "passage.text",
    "question": "passage.questions[].question",
    "answer": {"from": "passage.questions[].answers[].text", "may_be_blank": true},
    "label": "passage.questions[].answers[].label"
  },
  "prompt": "{paragraph}\nQuestion: {question}\nI found this answer \"{answer}\". Is that correct? Yes or No?\n",
  "candidates": ["No", "Yes"],
  "label": {"field": "label", "values": {"0": 0, "1": 1}},
  "metric": {"name": "f1", "positive": 1},
  "score": "mean"
}
)json"},
    {"boolq", R"json({
  "description": "BoolQ (SuperGLUE): yes or no? Divides val.jsonl: the official training file is not used",
  "folder": "BoolQ",
  "files": {"all": "val.jsonl"},
  "split": {"held_out_share": 0.5, "at_most": 1000},
  "format": "jsonl",
  "prompt": "{passage} {question|upper_first|add_question_mark}\n",
  "candidates": ["Yes", "No"],
  "label": {"field": "label", "values": {"true": 0, "false": 1}},
  "metric": "accuracy",
  "score": "mean"
}
)json"},
    {"movie-reviews", R"json({
  "description": "Hutto and Gilbert's film reviews, rated by people: positive or negative?",
  "folder": "hutto_ICWSM_2014",
  "files": {"all": "movieReviewSnippets_GroundTruth.txt"},
  "split": {"held_out_share": 0.2, "at_most": 1000, "balanced": true},
  "format": "tsv",
  "invalid_utf8": "replace",
  "columns": ["id", "mean rating", "text"],
  "prompt": "{text|strip} It was",
  "candidates": [" terrible", " great"],
  "label": {"field": "mean rating", "ranges": [{"below": -0.5, "candidate": 0}, {"above": 0.5, "candidate": 1}]},
  "metric": "accuracy",
  "score": "mean"
}
)json"},
    {"text", R"json({
  "description": "plain text, each line for itself: the loss is that of a language model",
  "files": {"all": "text.txt"},
  "split": {"held_out_share": 0.1, "at_most": 1000},
  "format": "lines",
  "text": "{line}"
}
)json"},
}};

}  // namespace

std::span<BuiltinTask const> builtin_tasks() noexcept {
  return tasks;
}

std::string builtin_task_names(std::string_view separator) {
  std::string names;
  for (BuiltinTask const& task : tasks) {
    if (!names.empty()) names += separator;
    names += task.name;
  }
  return names;
}

BuiltinTask const* find_builtin_task(std::string_view name) noexcept {
  for (BuiltinTask const& task : tasks)
    if (task.name == name) return &task;
  return nullptr;
}

}  // namespace zeroth::cli
