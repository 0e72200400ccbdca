"""A page that is watched while a test uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass
class Watched:
    """A page and what went wrong on it."""

    page: Any
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        return self.page

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.0 to 2.2, A and AA."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": WCAG}})
        assert len(found.response["passes"]) > 10  # it looked at something
        return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found.response["violations"]]
