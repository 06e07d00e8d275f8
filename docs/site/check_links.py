#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every link within the documentation: between the Markdown files, as on GitHub, or on the site.

usage: docs/site/check_links.py [FOLDER OF THE SITE]

A link must lead to a file of the repository, its anchor to a heading there; on the site, to a file and an id. Links to
other hosts are not followed.
"""

import html
import os
import pathlib
import re
import sys
import urllib.parse

import markdown

ROOT = markdown.ROOT
TAG = re.compile(r"<[a-zA-Z][^<>]*>")
ID = re.compile(r'\s(?:id|name)="([^"]*)"')
TARGET = re.compile(r'\s(?:href|src)="([^"]*)"')


def on_github():
    """What is wrong with links of the Markdown files, and how many there are."""
    wrong = []
    count = 0
    anchors = {}
    for file in markdown.documents():
        for line, is_image, text, target in markdown.links(file):
            if re.match(r"[a-z]+:", target):
                continue
            count += 1
            where = f"{file.relative_to(ROOT)}:{line}"
            if is_image and not text.strip():
                wrong.append(f"{where}: the image {target} needs a text for those who do not see it")
            path, _, anchor = target.partition("#")
            at = pathlib.Path(os.path.normpath(file.parent / path)) if path else file
            if not at.is_relative_to(ROOT) or not at.exists():
                wrong.append(f"{where}: the link to {target} leads nowhere")
            elif anchor:
                if at not in anchors:
                    anchors[at] = {name for _, _, _, name in markdown.headings(at)} if at.suffix == ".md" else set()
                if anchor not in anchors[at]:
                    wrong.append(f"{where}: {at.relative_to(ROOT)} has no heading #{anchor}")
    return wrong, count


def on_site(folder):
    """The same of the pages in a folder of HTML."""
    ids = {}
    targets = {}
    for page in sorted(folder.rglob("*.html")):
        tags = "".join(TAG.findall(page.read_text(encoding="utf-8", errors="replace")))
        ids[page] = set(ID.findall(tags))
        targets[page] = {html.unescape(target) for target in TARGET.findall(tags)}
    wrong = []
    count = 0
    for page, found in targets.items():
        for target in sorted(found):
            if re.match(r"[a-z]+:|\$|$", target):  # another host; a placeholder of Doxygen's search
                continue
            if target.endswith("#nested-classes"):  # Doxygen's own, also where all of them are private
                continue
            count += 1
            path, _, anchor = urllib.parse.unquote(target).partition("#")
            at = pathlib.Path(os.path.normpath(page.parent / path.partition("?")[0])) if path else page
            if not at.exists():
                wrong.append(f"{page.relative_to(folder)}: the link to {target} leads nowhere")
            elif anchor and at in ids and anchor not in ids[at]:
                wrong.append(f"{page.relative_to(folder)}: {at.relative_to(folder)} has no #{anchor}")
    return wrong, count


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__.split("\n")[3])
    site = len(sys.argv) == 2
    wrong, count = on_site(pathlib.Path(sys.argv[1]).resolve()) if site else on_github()
    for line in wrong:
        print(line)
    print(f"{count} links {'on the site' if site else 'between the Markdown files'}, {len(wrong)} broken")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
