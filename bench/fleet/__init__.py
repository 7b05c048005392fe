"""A fleet: many devices measure one plan, each a Dask worker with one slot; the coordinator writes the rows.

``record`` is a case on its way to a device, ``bundle`` an artifact on its way; ``device`` is what runs there,
``worker`` keeps it running; ``connect`` finds the scheduler and its devices; ``upload`` and ``coordinator`` hand out
the work.
Dask is imported inside functions only: nothing but the fleet needs it.
"""

from __future__ import annotations

from importlib.util import find_spec

from bench.errors import MissingExtra

SLOT = "slot"  # a device has one, and every case takes it
TAG = "target:"  # with the target's name: what a case asks of a device
ANY = "any"  # the target of a case that any device may measure


def require() -> None:
    """Raise MissingExtra unless Dask distributed can be imported."""
    if find_spec("distributed") is None:
        raise MissingExtra("Dask distributed, which connects a fleet,", "fleet")
