"""One network under several paths: ``a.onnx``, ``./a.onnx`` and its absolute path are one where their content is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MODEL, CONTENT = "model", "artifact_sha256"


def joined(*frames: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Give models one name whose paths end alike and whose content was the same in some row: the shortest of theirs.

    Files that one run measured beside each other with different contents are two networks (BASE and HEAD of a change).
    """
    contents: dict[tuple[str, str], set[str]] = {}
    for frame in frames:
        for model, content in frame[[MODEL, CONTENT]].drop_duplicates().astype(str).itertuples(index=False):
            if content:
                contents.setdefault((_file(model), content), set()).add(model)
    alike = [sorted(models, key=lambda m: (len(m), m)) for models in contents.values() if len(models) > 1]
    if not alike:
        return frames
    apart = _apart(frames, {model for models in alike for model in models})
    names: dict[str, str] = {}
    for first, *others in alike:
        if _file(first) not in apart:
            for other in others:
                names[_root(names, other)] = _root(names, first)
    return tuple(_renamed(frame, names) for frame in frames)


def _apart(frames: Iterable[pd.DataFrame], models: set[str]) -> set[str]:
    """Return the files of which one run had several paths with several contents."""
    beside: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for frame in frames:
        rows = frame.loc[frame[MODEL].isin(models), [MODEL, CONTENT, "run_id"]].drop_duplicates().astype(str)
        for model, content, run in rows.itertuples(index=False):
            beside.setdefault((_file(model), run), set()).add((model, content))
    return {file for (file, _), found in beside.items() if min(len(set(part)) for part in zip(*found, strict=True)) > 1}


def _file(model: str) -> str:
    return model.rpartition("/")[2]


def _root(names: dict[str, str], model: str) -> str:
    while names.get(model, model) != model:
        model = names[model]
    return model


def _renamed(frame: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    column = frame[MODEL].cat
    said = np.array([_root(names, str(text)) for text in column.categories], dtype=object)[column.codes.to_numpy()]
    codes, categories = pd.factorize(said)
    return frame.assign(**{MODEL: pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype=object))})
