"""Which files a report is made of: rows, evidence of findings and profiles, told apart in what a person named."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.errors import UsageError, clip
from bench.base.files import DAMAGED, PACKED, opened
from bench.rows.table import is_table, tables

KINDS = (".csv", ".jsonl", ".json")
HINT = "give a CSV of `bench run`, a findings.jsonl, a profile's JSON, a folder, or a quoted pattern"


@dataclass(frozen=True)
class Sources:
    """Files by what they hold; `notes` names the ones that were passed over."""

    rows: tuple[str, ...]
    evidence: tuple[Path, ...]
    profiles: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def find(named: Sequence[str]) -> Sources:
    """Look through files, folders (with all below them) and patterns.

    A file that was named is what its ending says, and must read as that later; one that was found in a folder counts
    only if it begins like evidence or a profile.

    Raises:
        UsageError: there is nothing there.
    """
    rows: list[str] = []
    evidence: list[Path] = []
    profiles: list[Path] = []
    for text in named:
        hits = [Path(text)] if os.path.exists(text) else [Path(hit) for hit in sorted(glob.glob(text, recursive=True))]
        if not hits:
            raise UsageError(f"there is nothing at {clip(text)!r}", HINT)
        for path in hits:
            if path.is_dir():
                rows += [str(path)] if tables(path) else []
                evidence += [p for p in _below(path, ".jsonl") if _first(p, '"kind"', '"header"')]
                profiles += [p for p in _below(path, ".json") if _is_profile(p)]
            elif is_table(path):
                rows.append(str(path))
            elif (ending := Path(path.name.removesuffix(PACKED)).suffix) in KINDS[1:]:
                (evidence if ending == ".jsonl" else profiles).append(path)
            elif len(hits) == 1:
                raise UsageError(f"{clip(str(path))} is none of {', '.join(KINDS)}", HINT)
    if not (rows or evidence or profiles):
        raise UsageError(f"there are no results in {clip(', '.join(named))}", HINT)
    return Sources(*(tuple(dict.fromkeys(found)) for found in (rows, evidence, profiles)))  # type: ignore[arg-type]


def _below(folder: Path, ending: str) -> list[Path]:
    """Return the files of a folder with that ending, compressed ones too."""
    return sorted(found for end in ("", PACKED) for found in folder.rglob(f"*{ending}{end}"))


def _first(path: Path, *words: str) -> bool:
    """Tell whether the first line of a file holds all of `words`."""
    try:
        with opened(path) as handle:
            line = handle.readline(4096)
    except DAMAGED:
        return False
    return all(word in line for word in words)


def _is_profile(path: Path) -> bool:
    try:
        with opened(path) as handle:
            data = json.load(handle)
    except (*DAMAGED, RecursionError):
        return False
    return isinstance(data, dict) and bool({"profile", "profiles", "operators"} & set(data))
