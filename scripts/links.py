#!/usr/bin/env python3
"""Follows the links of a folder of pages to other files and to places in them: links.py FOLDER. Those to the web are left alone."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page links to, and the places that it has."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.places.update(found[name] for name in ("id", "name") if found.get(name))
        self.links += [found[name] for name in ("href", "src") if found.get(name)]


def dead(folder):
    """The links of all pages that lead nowhere, as texts, and how many were followed."""
    pages = {path.resolve(): Page(path.read_text()) for path in folder.rglob("*.html")}
    lost, followed = [], 0
    for path, page in pages.items():
        if path.name in ("404.html", "print.html", "toc.html"):  # all pages again, with links from elsewhere
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = unquote(parts.fragment)
            followed += 1
            if not target.exists():
                lost.append(f"{path.name}: {link}: no such file")
            elif place and target in pages and place not in pages[target].places:
                lost.append(f"{path.name}: {link}: no such place")
    return lost, followed


def main(folder):
    lost, followed = dead(Path(folder))
    print("\n".join(sorted(set(lost))) or f"all of {followed} links lead somewhere")
    return 1 if lost or not followed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
