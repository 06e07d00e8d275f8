#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Links the types that the guides name, such as `SmallestMagnitude`, to their pages of the API reference.

usage: docs/site/link_names.py FOLDER

FOLDER has pages/*.md, from which Doxygen made html/*.html. Doxygen itself only links qualified names.
"""

import pathlib
import re
import sys

NAME = re.compile(r"(<a [^>]*>.*?</a>)|<code>(?:zeroth::)?((?:model::)?[A-Z]\w+)(\{\})?</code>", re.DOTALL)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[3])
    folder = pathlib.Path(sys.argv[1])
    pages = {}
    for page in (folder / "html").glob("*zeroth_1_1*.html"):
        name = re.fullmatch(r"(?:class|struct|concept)zeroth_1_1((?:model_1_1)?[A-Za-z0-9]+)", page.stem)
        if name:
            name = name.group(1).replace("_1_1", "::")
            pages[name] = page.name
            pages.setdefault(name.removeprefix("model::"), page.name)

    def linked(match):
        page = pages.get(match.group(2))
        return f'<a class="el" href="{page}">{match.group(0)}</a>' if page else match.group(0)

    for source in (folder / "pages").glob("*.md"):
        page = folder / "html" / ("index.html" if source.stem == "readme" else source.stem + ".html")
        head, contents, rest = page.read_text(encoding="utf-8").partition('<div class="contents">')
        page.write_text(head + contents + NAME.sub(linked, rest), encoding="utf-8")


if __name__ == "__main__":
    main()
