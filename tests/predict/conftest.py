"""Small forests: what is tested is what becomes of their predictions."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.predict.regressor.TREES", 30)
    monkeypatch.setattr("bench.predict.regressor.BOOSTS", 60)
