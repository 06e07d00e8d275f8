# SPDX-License-Identifier: MIT
"""Writes include/zeroth/model/tokenizer/unicode_tables.hpp.

The classes are those of the `tokenizers` package, asked about every code point: its regex engine decides \\p{L}, \\p{N}
and \\s, and its Digits pre-tokenizer (Rust's char::is_numeric, which may follow a later Unicode version) decides what
counts as a digit. Python's unicodedata is the cross-check: for every code point that its version assigns, both must
agree; what it does not know yet is counted and printed. One difference of definition is known and accepted: Python
calls U+001C to U+001F white space, the regex engine and Unicode's White_Space do not.

    python scripts/unicode_tables.py [--check]

--check writes nothing and exits with 1 when the committed header differs or the cross-check fails.
"""

import argparse
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, pre_tokenizers

HEADER = pathlib.Path(__file__).resolve().parent.parent / "include/zeroth/model/tokenizer/unicode_tables.hpp"
OTHER, LETTER, NUMBER, DIGIT_ONLY, WHITESPACE = range(5)
NAMES = ["other", "letter", "number", "digit_only", "whitespace"]
SURROGATES = range(0xD800, 0xE000)
CODE_POINTS = [c for c in range(0x110000) if c not in SURROGATES]
# The first Unicode version with this many members of \p{N}; only for the text in the header.
NUMBERS_TO_VERSION = {1791: "14.0", 1831: "15.0", 1911: "16.0", 1924: "17.0"}


def regex_class(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return {c for c in CODE_POINTS if not split.pre_tokenize_str(chr(c))}


def digit_class():
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {c for c in CODE_POINTS if len(digits.pre_tokenize_str("a" + chr(c) + "a")) == 3}


def cross_check(letters, numbers, digits, spaces):
    """Returns the code points on which unicodedata, where it knows them, disagrees."""
    wrong = [c for c in numbers if c not in digits]
    unknown = 0
    for c in CODE_POINTS:
        category = unicodedata.category(chr(c))
        if category == "Cn":
            unknown += c in letters or c in digits
            continue
        python_space = chr(c).isspace() and not 0x1C <= c <= 0x1F
        if ((category[0] == "L") != (c in letters) or (category[0] == "N") != (c in numbers)
                or (category[0] == "N") != (c in digits) or python_space != (c in spaces)):
            wrong.append(c)
    print(f"unicodedata {unicodedata.unidata_version}: {len(wrong)} disagreements on the code points it assigns; "
          f"{unknown} letters and numbers of tokenizers {tokenizers.__version__} are newer than it")
    return wrong


def runs(letters, numbers, digits, spaces):
    """The first code point of each run of one class, in order, as (first, class)."""
    result = []
    for c in CODE_POINTS:
        kind = (LETTER if c in letters else NUMBER if c in numbers else DIGIT_ONLY if c in digits
                else WHITESPACE if c in spaces else OTHER)
        if not result or result[-1][1] != kind:
            result.append((c, kind))
    return result


def header(table, version, digit_version):
    lines = []
    for i in range(0, len(table), 12):
        lines.append("    " + " ".join(f"0x{first * 8 + kind:06x}," for first, kind in table[i:i + 12]))
    enum = ", ".join(f"{name} = {value}" for value, name in enumerate(NAMES))
    return "\n".join([
        "// SPDX-License-Identifier: MIT",
        "// Made by scripts/unicode_tables.py; do not edit.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "namespace zeroth::model {",
        "",
        f"/// Class of a code point, as the regex engine of Hugging Face `tokenizers` {tokenizers.__version__} sees it",
        f"/// (\\p{{L}}, \\p{{N}}, \\s of Unicode {version}). `digit_only`: \\p{{N}} only for its Digits pre-tokenizer (Unicode "
        f"{digit_version});",
        "/// the regex engine counts it as `other`.",
        f"enum class CharacterClass : std::uint8_t {{ {enum} }};",
        "",
        "/// Runs of one class in ascending order: eight times the run's first code point, plus the class.",
        "// clang-format off",
        "inline constexpr std::uint32_t character_class_runs[] = {",
        *lines,
        "};",
        "// clang-format on",
        "",
        "}  // namespace zeroth::model",
        "",
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed header, write nothing")
    check = parser.parse_args().check

    letters, numbers, spaces = regex_class(r"\p{L}"), regex_class(r"\p{N}"), regex_class(r"\s")
    digits = digit_class()
    failed = bool(cross_check(letters, numbers, digits, spaces))
    rest = regex_class(r"[^\s\p{L}\p{N}]")
    if len(rest) + len(letters) + len(numbers) + len(spaces) != len(CODE_POINTS):
        print("the regex classes do not partition the code points")
        failed = True
    print(f"letters {len(letters)}, numbers {len(numbers)}, digits only {len(digits - numbers)}, spaces {len(spaces)}")
    text = header(runs(letters, numbers, digits, spaces), NUMBERS_TO_VERSION.get(len(numbers), "unknown"),
                  NUMBERS_TO_VERSION.get(len(digits), "unknown"))
    if not check:
        HEADER.write_text(text, encoding="utf-8")
    elif HEADER.read_text(encoding="utf-8") != text:
        print(f"{HEADER.name} differs from what this version of tokenizers gives")
        failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
