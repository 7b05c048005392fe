"""A roofline, for the terminal."""

from __future__ import annotations

from rich.console import Console

from bench.base.words import counted, size
from bench.machine.roof import Roofline
from bench.report.text.print import grid

CONVENTION = (
    "bytes are those of two arrays read and one written; the line that is fetched before it is written over is not "
    "counted, so memory itself may move 4/3 of it"
)


def records(roof: Roofline) -> list[dict[str, object]]:
    """Return one plain record per measurement, the same keys in each."""
    shared = {
        "backend": roof.backend,
        "backend_version": roof.version,
        "precision": roof.precision,
        "threads": roof.threads,
        "measured_at": roof.measured_at,
    }
    empty = dict.fromkeys(("gmacs_per_s", "gflops_per_s", "peak_share", "working_set_bytes", "gb_per_s"))
    rows = [
        shared
        | {"kind": "compute", "probe": c.probe, "latency_ms": round(c.latency_ns / 1e6, 6)}
        | empty
        | {
            "gmacs_per_s": round(c.gmacs_per_s, 3),
            "gflops_per_s": round(2 * c.gmacs_per_s, 3),
            "peak_share": round(c.gmacs_per_s / roof.peak_gmacs_per_s, 4),
        }
        for c in roof.compute
    ]
    return rows + [
        shared
        | {"kind": "bandwidth", "probe": f"add {size(s.array_bytes)}", "latency_ms": round(s.latency_ns / 1e6, 6)}
        | empty
        | {"working_set_bytes": s.working_set_bytes, "gb_per_s": round(s.gb_per_s, 3)}
        for s in roof.streams
    ]


def show(roof: Roofline, console: Console) -> None:
    """Print peak, plateaus and every probe."""
    best, threads = roof.best, counted(roof.threads, "thread")
    console.print(f"{roof.backend} {roof.version}, {roof.precision}, {threads}, measured {roof.measured_at}")
    if roof.scripted:
        console.print("scripted: this is no machine")
    console.print(f"attainable peak: {best.gmacs_per_s:.1f} GMAC/s = {2 * best.gmacs_per_s:.1f} GFLOP/s ({best.probe})")
    for plateau in roof.plateaus():
        console.print(
            f"bandwidth: {plateau.gb_per_s:.1f} GB/s for {size(plateau.from_bytes)} to {size(plateau.to_bytes)}"
        )
    table = grid(["probe"], ["GMAC/s", "GFLOP/s", "of peak", "GB/s"])
    for c in sorted(roof.compute, key=lambda c: -c.gmacs_per_s):
        share = c.gmacs_per_s / roof.peak_gmacs_per_s
        table.add_row(c.probe, f"{c.gmacs_per_s:.1f}", f"{2 * c.gmacs_per_s:.1f}", f"{share:.0%}", "")
    for s in roof.streams:
        table.add_row(f"add, 3 arrays in {size(s.working_set_bytes)}", "", "", "", f"{s.gb_per_s:.1f}")
    console.print(table)
    console.print(CONVENTION)
