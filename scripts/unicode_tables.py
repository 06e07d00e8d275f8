# SPDX-License-Identifier: MIT
"""Writes unicode_tables.hpp in include/zeroth_model/text, normalization_tables.hpp and word_tables.hpp in tokenizer there.

The classes are those of the `tokenizers` package, asked about every code point: its regex engine decides \\p{L}, \\p{N}
and \\s, and its Digits pre-tokenizer (Rust's char::is_numeric, which may follow a later Unicode version) decides what
counts as a digit. Python's unicodedata is the cross-check: for every code point that its version assigns, both must
agree; what it does not know yet is counted and printed. One difference of definition is known and accepted: Python
calls U+001C to U+001F white space, the regex engine and Unicode's White_Space do not.

Word characters are those next to which the package does not find an added token that must be a single word.

Canonical decompositions, compositions and combining classes are unicodedata's, each kept only if the NFC and NFD of
`tokenizers` (of an older Unicode version) know it; the result is held against both on every code point, every pair that
composes and every two combining marks.

    python scripts/unicode_tables.py [--check]

--check writes nothing and exits with 1 when a committed header differs or a cross-check fails.
"""

import argparse
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "include/zeroth_model/tokenizer"
HEADER = FOLDER.parent / "text/unicode_tables.hpp"
NORMALIZATION_HEADER = FOLDER / "normalization_tables.hpp"
WORD_HEADER = FOLDER / "word_tables.hpp"
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


def word_class():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("a", single_word=True, normalized=False)])
    found = tokenizer.encode_batch_fast(["." + chr(c) + "a" if c != ord("a") else "aa" for c in CODE_POINTS])
    return {c for c, encoding in zip(CODE_POINTS, found) if not encoding.ids}


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
        "#include <zeroth/config.hpp>",
        "",
        "namespace zeroth::ZEROTH_ISA::model {",
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
        "}  // namespace zeroth::ZEROTH_ISA::model",
        "",
    ])


NFC, NFD = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
HANGUL = range(0xAC00, 0xD7A4)  # by arithmetic
GREEK_IOTA = "\u0345"  # of the highest combining class, 240: every other mark moves before it


def combining_classes():
    """Class of each code point that NFD puts in order; in one text for speed, each between two letters."""
    ordered = NFD("".join(f"a{GREEK_IOTA}{chr(c)}" for c in CODE_POINTS if unicodedata.combining(chr(c))))
    known = {ord(before) for before, after in zip(ordered, ordered[1:])
             if after == GREEK_IOTA and unicodedata.combining(before)}
    known.add(ord(GREEK_IOTA))
    return {c: unicodedata.combining(chr(c)) for c in sorted(known)}


def canonical_pairs():
    """(composed, first, second, composes), second 0 where a code point decomposes to one other."""
    result = []
    for c in CODE_POINTS:
        text = unicodedata.decomposition(chr(c))
        if not text or text[0] == "<" or c in HANGUL or NFD(chr(c)) == chr(c):
            continue
        parts = [int(part, 16) for part in text.split()]
        second = parts[1] if len(parts) == 2 else 0
        result.append((c, parts[0], second, second != 0 and NFC(chr(parts[0]) + chr(second)) == chr(c)))
    return result


def nfc_by_tables(text, classes, decompositions, compositions):
    """What normalization.hpp does with these tables, Hangul left out."""
    decomposed = []

    def decompose(c):
        if c not in decompositions:
            decomposed.append(c)
            return
        first, second = decompositions[c]
        decompose(first)
        if second:
            decomposed.append(second)

    for c in text:
        decompose(ord(c))
    i = 0
    while i < len(decomposed):
        end = i
        while end < len(decomposed) and classes.get(decomposed[end], 0):
            end += 1
        decomposed[i:end] = sorted(decomposed[i:end], key=lambda c: classes[c])
        i = end + 1
    result, starter, last = [], None, 0
    for c in decomposed:
        kind = classes.get(c, 0)
        adjacent = starter is not None and starter == len(result) - 1
        if starter is not None and (adjacent or (last < kind and last != 0)):
            composed = compositions.get((result[starter], c))
            if composed is not None:
                result[starter] = composed
                continue
        if kind == 0:
            starter = len(result)
        last = kind
        result.append(c)
    return "".join(map(chr, result))


def check_normalization(classes, pairs):
    """Returns how many texts the tables normalise otherwise than `tokenizers`."""
    marks = [chr(c) for c in classes]
    texts = [chr(c) for c in CODE_POINTS if c not in HANGUL and not 0x1100 <= c < 0x1200]
    texts += [chr(first) + chr(second) for _, first, second, _ in pairs if second]
    texts += [f"a{a}{b}" for a in marks for b in marks[::7]]
    decompositions = {composed: (first, second) for composed, first, second, _ in pairs}
    compositions = {(first, second): composed for composed, first, second, composes in pairs if composes}
    wrong = [text for text in texts if nfc_by_tables(text, classes, decompositions, compositions) != NFC(text)]
    newer = [c for c in CODE_POINTS if NFD(chr(c)) != unicodedata.normalize("NFD", chr(c))]
    print(f"{len(texts)} texts normalised: {len(wrong)} differ; {len(newer)} code points have another NFD in unicodedata")
    return len(wrong)


def normalization_header(classes, pairs):
    def rows(numbers, width, per_line):
        return ["    " + " ".join(f"0x{n:0{width}x}," for n in numbers[i:i + per_line])
                for i in range(0, len(numbers), per_line)]

    runs_of_class = []
    for c in CODE_POINTS:
        kind = classes.get(c, 0)
        if not runs_of_class or runs_of_class[-1] % 256 != kind:
            runs_of_class.append(c * 256 + kind)
    indices = sorted((i for i, pair in enumerate(pairs) if pair[3]), key=lambda i: pairs[i][1:3])
    return "\n".join([
        "// SPDX-License-Identifier: MIT",
        "// Made by scripts/unicode_tables.py; do not edit.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "#include <zeroth/config.hpp>",
        "",
        "namespace zeroth::ZEROTH_ISA::model {",
        "",
        f"// Canonical decompositions and combining classes as the NFC of Hugging Face `tokenizers` {tokenizers.__version__} knows them.",
        "// clang-format off",
        "",
        "/// Runs of one canonical combining class in ascending order: 256 times the run's first code point, plus the class.",
        "inline constexpr std::uint32_t combining_class_runs[] = {",
        *rows(runs_of_class, 8, 10),
        "};",
        "",
        "/// A code point and the one or two (else 0) that it decomposes to.",
        "struct CanonicalPair {",
        "  std::uint32_t composed;",
        "  std::uint32_t first;",
        "  std::uint32_t second;",
        "};",
        "",
        "/// All decompositions but those of Hangul, by composed code point.",
        "inline constexpr CanonicalPair canonical_pairs[] = {",
        *["    " + " ".join(f"{{0x{a:04x}, 0x{b:04x}, 0x{c:x}}}," for a, b, c, _ in pairs[i:i + 4])
          for i in range(0, len(pairs), 4)],
        "};",
        "",
        "/// Indices of the pairs that NFC composes, ordered by first and second.",
        "inline constexpr std::uint16_t canonical_compositions[] = {",
        *rows(indices, 3, 16),
        "};",
        "// clang-format on",
        "",
        "}  // namespace zeroth::ZEROTH_ISA::model",
        "",
    ])


def word_header(words):
    """Where runs of word characters begin and end, in turn."""
    ends = [c for c in range(0x110000) if (c in words) != (c - 1 in words)]
    return "\n".join([
        "// SPDX-License-Identifier: MIT",
        "// Made by scripts/unicode_tables.py; do not edit.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "#include <zeroth/config.hpp>",
        "",
        "namespace zeroth::ZEROTH_ISA::model {",
        "",
        f"/// The code points that `\\w` of Hugging Face `tokenizers` {tokenizers.__version__} matches: where each run of them begins and, in",
        "/// turn, where it ends, in ascending order.",
        "// clang-format off",
        "inline constexpr std::uint32_t word_runs[] = {",
        *["    " + " ".join(f"0x{c:05x}," for c in ends[i:i + 12]) for i in range(0, len(ends), 12)],
        "};",
        "// clang-format on",
        "",
        "}  // namespace zeroth::ZEROTH_ISA::model",
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
    classes, pairs = combining_classes(), canonical_pairs()
    failed |= check_normalization(classes, pairs) > 0
    print(f"combining marks {len(classes)}, decompositions {len(pairs)}, compositions {sum(pair[3] for pair in pairs)}")
    words = word_class()
    print(f"word characters {len(words)}")
    for path, content in [(HEADER, text), (NORMALIZATION_HEADER, normalization_header(classes, pairs)),
                          (WORD_HEADER, word_header(words))]:
        if not check:
            path.write_text(content, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != content:
            print(f"{path.name} differs from what this version of tokenizers gives")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
