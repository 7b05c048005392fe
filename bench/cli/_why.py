"""What ``bench profile --why`` and ``--vs`` say: a profile's reasons in words, or the difference of two networks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.report.text.print import print_json, terminal

if TYPE_CHECKING:
    from bench.profiling.difference import Check
    from bench.profiling.network import ProfiledNetwork
    from bench.profiling.reasons import Statement
    from bench.profiling.roofs import Roof


def recorded(files: tuple[Path, ...]) -> tuple[list[ProfiledNetwork], Check | None]:
    """Read one profile, or two of one runtime and machine, and how they differed without a profiler if that is there.

    Raises:
        BenchError: a file does not read, or the profiles are not to be compared.
    """
    from bench.profiling import network as networks
    from bench.profiling.difference import check

    loaded = [networks.load(path) for path in files]
    found = [network for mine, _ in loaded for network in mine]
    apart = [pair for _, pairs_ns in loaded for pair in pairs_ns] if len(files) == 1 else []
    same_runtime(found)
    return found, check(apart) if apart else None


def same_runtime(found: list[ProfiledNetwork]) -> None:
    """Refuse to compare what was not profiled alike."""
    from bench.base.errors import UsageError

    if len(found) > 2:
        raise UsageError(f"--from gives {len(found)} profiles", "one is explained, two are compared")
    if len({network.runtime for network in found}) > 1:
        first, second = (", ".join(str(part) for part in network.runtime if part) for network in found)
        raise UsageError(
            f"the profiles are not of one runtime and machine: {first}; {second}", "profile both alike, best in turns"
        )


def show(found: list[ProfiledNetwork], checked: Check | None, most: int, top: int, format: str) -> None:
    """Print why, `most` reasons and `top` operators; or the difference of two networks, `checked` apart."""
    from bench.profiling import roofs
    from bench.profiling.reasons import reasons
    from bench.report.text import explain as text
    from bench.report.text import sections as laid

    roof = roofs.find(found)
    said = [reasons(network, roof) for network in found]
    if format == "json":
        print_json(_record(found, roof, said, checked))
        return
    if len(found) == 1:
        sections = text.explain_one(found[0], roof, said[0], most, top)
    else:
        sections = text.explain_two(found[0], found[1], roof, said, checked, most)
    if format == "markdown":
        for line in laid.markdown(sections):
            click.echo(line)
        return
    laid.show(sections, terminal(120))


def _record(
    found: list[ProfiledNetwork], roof: Roof, said: list[list[Statement]], checked: Check | None
) -> dict[str, object]:
    from bench.profiling.difference import split

    record: dict[str, object] = {
        "roof": {"peak_gmacs_per_s": roof.peak_gmacs_per_s if roof.known else None, "origin": roof.origin},
        "networks": [
            {
                "model": network.model,
                "backend": network.backend,
                "version": network.version,
                "precision": network.precision,
                "threads": network.threads,
                "batch": network.batch,
                "latency_ms": network.latency_ms,
                "residual_ms": network.residual_ms,
                "macs": network.macs,
                "floor_ms": sum(roof.floor_us(op) for op in network.operators) / 1e3 if roof.known else None,
                "reasons": [s.record(network) for s in statements],
                "operators": [
                    {
                        "name": op.name,
                        "class": str(op.op_class),
                        "time_us": op.time_us,
                        "floor_us": roof.floor_us(op) if roof.known else None,
                        "macs": op.macs,
                        "moved_bytes": op.moved_bytes,
                        "reasons": [s.key for s in statements if i in s.operators],
                    }
                    for i, op in enumerate(network.operators)
                ],
            }
            for network, statements in zip(found, said, strict=True)
        ],
    }
    if len(found) == 2:
        parts = [asdict(part) | {"difference_ms": part.difference_ms} for part in split(*found)]
        difference = {"total_ms": found[0].latency_ms - found[1].latency_ms, "parts": parts}
        apart = {} if checked is None else {"measured_apart": asdict(checked), "fault": checked.fault(*found)}
        record["difference"] = difference | apart
    return record
