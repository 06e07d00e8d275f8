#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rewrites the Markdown files, which are written for GitHub, as pages for Doxygen.

usage: docs/site/make_pages.py FOLDER

FOLDER gets pages/*.md (the README, the guides and the examples), layout.xml (the navigation, in the order of
docs/README.md) and html/ with the files and images that pages link to. The lines of the README and the guides keep
their numbers, so that a warning of Doxygen names the right one.

Doxygen 1.9.4 reads a different Markdown: its headings have no anchors of their own, its links know no anchors of other
files, and @, \\, # and < start commands, links and tags. So each heading gets an id (PAGE-ANCHOR, with GitHub's
anchor), each link becomes a reference to an id, and the rest is escaped.
"""

import html
import os
import pathlib
import re
import shutil
import sys

import markdown

ROOT = markdown.ROOT
INDEX = ROOT / "docs/README.md"
TOKEN = re.compile(
    rf"(?P<code>{markdown.CODE_SPAN.pattern})|(?P<link>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\([^()\s]+\))", re.DOTALL
)


def page_of(file):
    """The name of a document's page, which is also the prefix of its anchors."""
    if file == INDEX:
        return "guides"
    return file.stem.lower()


class Site:
    """The folder that is written, and what the pages need next to them."""

    def __init__(self, folder):
        self.folder = folder
        self.documents = markdown.documents()
        self.examples = sorted((ROOT / "examples").glob("*.cpp"))
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "pages").mkdir(parents=True)
        (folder / "html").mkdir()

    def copied(self, file):
        """The address of a file of the repository that has no page: a copy of it."""
        name = file.relative_to(ROOT)
        target = self.folder / "html" / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
        return f"files/{name}"

    def link(self, file, is_image, text, target):
        """A link as Doxygen reads it."""
        if re.match(r"[a-z]+:", target):
            return f"[{self.text(file, text)}]({target})"
        path, _, anchor = target.partition("#")
        at = pathlib.Path(os.path.normpath(file.parent / path)) if path else file
        if not at.is_relative_to(ROOT) or not at.exists():
            raise ValueError(f"{file.relative_to(ROOT)}: the link to {target} leads nowhere")
        if is_image:
            return f'<img src="{self.copied(at)}" alt="{html.escape(text)}"/>'
        if text == at.name and at in self.documents:  # there are no file names on the site
            text = markdown.plain(markdown.headings(at)[0][2])
        shown = escaped(markdown.plain(text))  # a reference shows no code
        if at in self.documents:
            page = page_of(at)
            if at == ROOT / "README.md" and not anchor:
                return f"[{shown}](index.html)"
            return f"[{shown}](@ref {page}{'-' + anchor if anchor else ''})"
        if at in self.examples:
            return f"[{shown}](@ref example-{at.stem})"
        if at.is_relative_to(ROOT / "include") and at.is_file():
            return f"[{shown}](@ref {at.relative_to(ROOT / 'include')})"
        if at.is_dir():
            return shown
        return f"[{shown}]({self.copied(at)})"

    def text(self, file, text):
        """Text outside of fenced blocks, which may be of many lines."""
        done = []
        end = 0
        for token in TOKEN.finditer(text):
            done.append(escaped(text[end : token.start()]))
            if token.group("code"):
                done.append(code(token.group(0)))
            else:
                is_image, inner, target = markdown.LINK.fullmatch(token.group(0)).groups()
                done.append(self.link(file, is_image == "!", inner, target))
            end = token.end()
        done.append(escaped(text[end:]))
        return "".join(done)

    def page(self, file):
        """Writes a document's page."""
        headings = {number: (level, text, anchor) for number, level, text, anchor in markdown.headings(file)}
        prefix = page_of(file)
        done = []
        chunk = []
        skipped = 0

        def flush():
            if chunk:
                done.append(self.text(file, "\n".join(chunk)))
                chunk.clear()

        for number, (line, fenced) in enumerate(markdown.lines_of(file), 1):
            if number in headings:
                flush()
                level, text, anchor = headings[number]
                name = prefix if level == 1 else f"{prefix}-{anchor}"
                done.append(f"{'#' * level} {self.text(file, markdown.plain(text))} {{#{name}}}")
                if level == 1 and sum(level == 2 for level, _, _ in headings.values()) > 2:
                    done.append("@tableofcontents")
                    skipped = number + 1  # the empty line after the title
            elif fenced:
                flush()
                done.append(line)
            elif number == skipped:
                continue
            elif markdown.COMMENT.match(line):
                chunk.append("")
            else:
                chunk.append(line)
        flush()
        (self.folder / "pages" / f"{prefix}.md").write_text("\n".join(done), encoding="utf-8")

    def example(self, file):
        """Writes the page of an example: what its first comment says, and its text."""
        lines = file.read_text(encoding="utf-8").split("\n")[1:]
        comment = []
        while lines[0].startswith("//"):
            comment.append(lines.pop(0)[2:].strip())
        (self.folder / "pages" / f"example-{file.stem}.md").write_text(
            f"# {file.name} {{#example-{file.stem}}}\n\n{escaped(' '.join(comment))}\n\n"
            + "```cpp\n"
            + "\n".join(lines).strip()
            + "\n```\n",
            encoding="utf-8",
        )

    def navigation(self):
        """The groups of docs/README.md and the pages that each of its lists links to."""
        groups = []
        for line, fenced in markdown.lines_of(INDEX):
            heading = markdown.HEADING.match(line)
            if heading and not fenced and heading.group(1) == "##":
                groups.append((markdown.plain(heading.group(2)), []))
            entry = re.match(r"- \[([^\]]+)\]\(([^()\s#]+)\)", line)
            if entry and groups:
                at = pathlib.Path(os.path.normpath(INDEX.parent / entry.group(2)))
                if at in self.documents:
                    groups[-1][1].append((markdown.plain(entry.group(1)), page_of(at)))
                elif at in self.examples:
                    groups[-1][1].append((markdown.plain(entry.group(1)), f"example-{at.stem}"))
        listed = {page for _, pages in groups for _, page in pages}
        wanted = {page_of(file) for file in self.documents} - {"readme", "guides"}
        wanted |= {f"example-{file.stem}" for file in self.examples}
        if wanted - listed:
            raise ValueError(f"docs/README.md: expected a list with a link to {', '.join(sorted(wanted - listed))}")
        return groups

    def layout(self):
        """Writes the layout file, with the groups for readers before those of the interface."""
        tabs = ['<tab type="user" url="@ref guides" title="Guides"/>']
        for title, pages in self.navigation():
            tabs.append(f'<tab type="usergroup" title="{html.escape(title)}">')
            tabs += [f'  <tab type="user" url="@ref {page}" title="{html.escape(text)}"/>' for text, page in pages]
            tabs.append("</tab>")
        template = (ROOT / "docs/site/layout.xml.in").read_text(encoding="utf-8")
        layout = template.replace("@guides@", "\n    ".join(tabs))
        (self.folder / "layout.xml").write_text(layout, encoding="utf-8")


def code(span):
    """A code span. Doxygen shows most of them as they are, but ends one at a quote and drops some characters."""
    inner = span.strip("`").replace("\\|", "|")
    if not re.search(r"['%|\n]|(?<!\w)::", inner):
        return span
    inner = re.sub(r"[\\@#%*`\[\]|]|(?<!\w)_|_(?!\w)|(?<!\w)::", r"\\\g<0>", inner).replace("--", "\\-\\-")
    return f"<code>{html.escape(inner, quote=False)}</code>"


def escaped(text):
    """Text without code and links in it, so that Doxygen shows the same characters as GitHub."""
    text = re.sub(r"\\(?![\\`*_{}\[\]()#+.!|<>-])", r"\\\\", text)
    text = re.sub(r"(?<!\\)@", r"\\@", text)
    text = re.sub(r"(?<![\\#\w&])#(?=\w)", r"\\#", text)
    text = re.sub(r"(?<!\\)<(?=[\w/!])", r"\\<", text)
    return re.sub(r"(?<![\\\d])%(?=\w)", r"\\%", text)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[3])
    site = Site(pathlib.Path(sys.argv[1]).resolve())
    try:
        for file in site.documents:
            site.page(file)
        for file in site.examples:
            site.example(file)
        site.layout()
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
