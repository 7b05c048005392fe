"""A row's seal: a hash over its cells, so that a row which was edited afterwards is found.

It is a checksum and no signature: it finds a slip of the hand, a spreadsheet that rounded, a unit that was changed. Who
means to deceive can seal anew; against that help the rules that hold columns against each other (`bench.api.admission`)
and that anyone may run the row again (``bench run --like``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from bench.rows.schema import canonical, kinds

SEAL = "row_sha256"


def seal(cells: Mapping[str, str]) -> str:
    """Return the hash of a row's cells: whatever their order, empty ones left out, numbers in their one spelling."""
    said = {name: canonical(name, cell) if name in kinds() else cell for name, cell in cells.items() if name != SEAL}
    text = json.dumps(sorted((name, cell) for name, cell in said.items() if cell), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
