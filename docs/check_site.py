"""Holds the built site against two promises: it loads nothing from elsewhere, and its links lead somewhere.

python docs/check_site.py build/site
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself; other links are followed by who clicks them.
LOADS = {("link", "href"), ("object", "data"), ("image", "href"), ("use", "href")}
LOADING = {"src", "srcset", "poster", "background"}
IN_CSS = re.compile(r"""url\(\s*['"]?([^'")\s]+)|@import\s+['"]([^'"]+)""")
ELSEWHERE = ("http:", "https:", "//", "ws:", "wss:", "ftp:")


@dataclass
class Page(HTMLParser):
    """What a page loads, where its links lead, and the places in it that can be linked to."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag."""
        self._style = tag == "style"
        inert = tag == "link" and dict(attrs).get("rel") in ("search", "index", "next", "prev", "author", "canonical")
        for name, value in attrs:
            if not value:
                continue
            if name in ("id", "name"):
                self.places.add(value)
            elif name == "srcset":
                self.loads += [part.split()[0] for part in value.split(",") if part.strip()]
            elif name in LOADING or (tag, name) in LOADS:
                (self.links if inert else self.loads).append(value)
            elif name == "href":
                self.links.append(value)
            elif name == "style":
                self.loads += in_css(value)

    def handle_data(self, data: str) -> None:
        """Take note of what a style sheet in the page loads."""
        if self._style:
            self.loads += in_css(data)


def in_css(text: str) -> list[str]:
    """Return what a style sheet loads."""
    return [first or second for first, second in IN_CSS.findall(text)]


def check(site: Path) -> list[str]:
    """Return a line for each thing that is wrong; none if the site keeps both promises."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        page = pages[path.resolve()] = Page()
        page.feed(path.read_text("utf-8"))
    wrong = [] if pages else [f"there are no pages in {site}"]
    for path, page in pages.items():
        shown = path.relative_to(site.resolve())
        for link in (*page.loads, *page.links):
            if link.startswith(("data:", "mailto:", "javascript:")):
                continue
            if link.startswith(ELSEWHERE):
                wrong += [f"{shown} loads {link}"] if link in page.loads else []
                continue
            parts = urlsplit(link)
            there = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            there = there / "index.html" if there.is_dir() else there
            if not there.exists():
                wrong.append(f"{shown}: there is no {link}")
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].places:
                wrong.append(f"{shown}: {link} has no such place")
    for path in sorted(site.rglob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        wrong += [f"{path.relative_to(site)} loads {one}" for one in in_css(text) if one.startswith(ELSEWHERE)]
    return wrong


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    print("\n".join(found) or "nothing is loaded from elsewhere, and every link leads somewhere")
    sys.exit(bool(found))
