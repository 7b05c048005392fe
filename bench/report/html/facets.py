"""What a page can be filtered by: for every case, profile and series its value in each of six dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]  # of a chart: its fields are the chart's own, and Vega reads them
DIMENSIONS = ("backend", "target", "threads", "precision", "family", "status")


@dataclass
class Facets:
    """Values per dimension, in order of appearance, and per subject one code (or several) in each.

    A record of a chart names the subjects it stands on; it is shown while all of them pass.
    """

    values: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in DIMENSIONS})
    codes: list[list[list[int]]] = field(default_factory=list)

    def add(self, **found: str | Iterable[str]) -> int:
        """Take in a subject and return its number; a dimension that is left out passes every filter."""
        subject: list[list[int]] = []
        for name in DIMENSIONS:
            given = found.get(name, ())
            subject.append([self._code(name, one) for one in ((given,) if isinstance(given, str) else given)])
        self.codes.append(subject)
        return len(self.codes) - 1

    def _code(self, name: str, value: str) -> int:
        known = self.values[name]
        text = value or "unknown"
        if text not in known:
            known.append(text)
        return known.index(text)

    def record(self) -> dict[str, object]:
        """Return it for the page; a single code stands without its list."""
        codes = [[one[0] if len(one) == 1 else one for one in subject] for subject in self.codes]
        return {"dimensions": [{"name": name, "values": self.values[name]} for name in DIMENSIONS], "codes": codes}
