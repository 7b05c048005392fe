"""The seal of a row: the same for the same cells, another one for any other."""

from __future__ import annotations

import pytest

from bench.rows.cells import cell
from bench.rows.schema import COLUMNS
from bench.rows.seal import SEAL, seal
from tests.rows.rows import row

CELLS = {name: cell(getattr(row(), name)) for name in COLUMNS}


def test_order_spelling_and_empty_cells_are_no_matter() -> None:
    mine = seal(CELLS)
    assert seal(dict(reversed(CELLS.items()))) == mine
    assert seal({name: text for name, text in CELLS.items() if text}) == mine
    assert seal(CELLS | {"resolution": "224.0", "latency_ms": "5.00"}) == mine
    assert seal(CELLS | {SEAL: mine}) == mine


@pytest.mark.parametrize("name", COLUMNS)
def test_any_edited_cell_is_seen(name: str) -> None:
    assert seal(CELLS | {name: "7" if CELLS[name] != "7" else "8"}) != seal(CELLS)
