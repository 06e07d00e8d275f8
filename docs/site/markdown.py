# SPDX-License-Identifier: MIT
"""What the site and the checks of the documentation know about Markdown as this repository uses it."""

import dataclasses
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^( *)```(.*)$")
HEADING = re.compile(r"^(#{1,6}) +(.*?) *$")
COMMENT = re.compile(r"^<!-- *(.*?) *-->$")
CODE_SPAN = re.compile(r"(?P<ticks>`+)(?!`).*?[^`](?P=ticks)(?!`)", re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


@dataclasses.dataclass
class Block:
    """A fenced block: its language, its text, and what the comment above it says."""

    file: pathlib.Path
    line: int  # of the block's first line of text, from 1
    language: str
    comment: str
    text: str

    @property
    def where(self):
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def documents():
    """The Markdown files that people read: the root's and those of docs."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).exists() and pathlib.Path(name).parts[0] in (name, "docs")]


def lines_of(file):
    """(line, whether it is part of a fenced block) for each line of the file; a fence is part of its block."""
    fenced = False
    for line in file.read_text(encoding="utf-8").split("\n"):
        is_fence = FENCE.match(line) is not None
        yield line, fenced or is_fence
        if is_fence:
            fenced = not fenced


def blocks(file):
    """The fenced blocks of the file. Raises ValueError at an indented block, whose language nobody could name."""
    lines = file.read_text(encoding="utf-8").split("\n")
    found = []
    opened = None
    in_list = False
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if opened is not None:
            indent, language, first = opened
            if fence and not fence.group(2):
                body = [text[len(indent) :] for text in lines[first : number - 1]]
                above = next((text for text in reversed(lines[: first - 1]) if text.strip()), "")
                comment = COMMENT.match(above.strip())
                found.append(
                    Block(file, first + 1, language, comment.group(1) if comment else "", "\n".join(body) + "\n")
                )
                opened = None
        elif fence:
            opened = (fence.group(1), fence.group(2).strip(), number)
        elif line.startswith("    ") and not in_list and number > 1 and not lines[number - 2].strip():
            where = f"{file.relative_to(ROOT)}:{number}"
            raise ValueError(f"{where}: expected a fenced block with a language, found an indented block")
        elif line.strip() and not line.startswith(" "):
            in_list = re.match(r"([-*+]|\d+\.) ", line) is not None
    if opened is not None:
        raise ValueError(f"{file.relative_to(ROOT)}:{opened[2]}: this block is not closed")
    return found


def plain(text):
    """A heading's text as it is shown."""
    text = LINK.sub(r"\2", text)
    return re.sub(r"[`*]", "", text)


def slug(text):
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", plain(text).strip().lower()).replace(" ", "-")


def headings(file):
    """(line number, level, text, anchor) of each heading, anchors unique as GitHub makes them."""
    seen = {}
    found = []
    for number, (line, fenced) in enumerate(lines_of(file), 1):
        heading = None if fenced else HEADING.match(line)
        if not heading:
            continue
        anchor = slug(heading.group(2))
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        if count:
            anchor += f"-{count}"
        found.append((number, len(heading.group(1)), heading.group(2), anchor))
    return found


def links(file):
    """(line number, whether it is an image, text, target) of each inline link outside of code."""
    found = []
    text = "\n".join("" if fenced else line for line, fenced in lines_of(file))
    text = CODE_SPAN.sub(lambda span: "`" + " " * (len(span.group(0)) - 2) + "`", text)
    for match in LINK.finditer(text):
        found.append((text.count("\n", 0, match.start()) + 1, match.group(1) == "!", match.group(2), match.group(3)))
    return found
