"""Published devices in the terminal: the table, one device, rank correlations, what a device is like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from bench.base.words import counted, listed
from bench.devices.like import Like
from bench.devices.ranks import Ranked, summarise
from bench.devices.settings import Setting
from bench.papers.device_records import DeviceRow, Networks
from bench.papers.devices import sources
from bench.report.text.print import print_json, print_records, say
from bench.stats.ranks import Correlation

NOT_OURS = "latencies published by others, not measured by this program: none has an interval or a status"


def print_table(settings: Sequence[Setting], format: str) -> None:
    """Print a line per device and class: with what it was timed, and how many networks."""
    found: dict[tuple[str, str, str], list[Setting]] = {}
    for setting in settings:
        found.setdefault((setting.device.device, setting.kind, setting.table), []).append(setting)
    records = [
        {
            "device": device,
            "class": kind,
            "chip": mine[0].device.chip,
            "cores": mine[0].device.cores,
            "threads": _several(str(s.threads or "") for s in mine),
            "runtime": _several(s.runtime for s in mine),
            "precision": _several(s.precision for s in mine),
            "settings": len(mine),
            "networks": max(len(s.times) for s in mine),
            "source": table,
        }
        for (device, kind, table), mine in found.items()
    ]
    print_records(records, format)
    if format == "table":
        say(f"{counted(len(settings), 'setting')}; {NOT_OURS}")


def print_rows(rows: Sequence[DeviceRow], networks: Networks, format: str) -> None:
    """Print every published row of a device, doubtful ones too, with what its network was found to be."""
    records = []
    for row in rows:
        network = networks[row.table, row.network, row.resolution]
        records.append(
            {
                "device": row.device,
                "unit": row.unit,
                "threads": row.threads,
                "cores": row.cores,
                "runtime": row.runtime,
                "precision": row.precision,
                "mode": row.mode,
                "run": row.run,
                "network": row.network,
                "px": row.resolution,
                "zoo": network.model,
                "match": network.match,
                "batch": row.batch,
                "published_ms": row.latency_ms,
                "statistic": row.statistic,
                "npu_layers": None if row.layers is None else f"{row.layers_npu or 0} of {row.layers}",
                "source": f"{row.source}@{row.commit}" + (f":{row.line}" if row.line else ""),
                "doubt": row.doubt,
            }
        )
    if format != "table":
        print_records(records, format)
        return
    # What is empty in every row, or a source's own line, is for CSV.
    shown = [name for name in records[0] if name != "source" and any(r[name] not in ("", None) for r in records)]
    print_records([{name: record[name] for name in shown} for record in records], "table")
    for table in dict.fromkeys(row.table for row in rows):
        source = sources()[table]
        say(f"{source.title} ({source.licence}): {source.statistic}")
    say(NOT_OURS)


def print_ranked(ranked: Sequence[Ranked], format: str) -> None:
    """Print a line per setting, group of networks and predictor; as a table, with a summary by class."""
    records = [record(one) for one in ranked]
    if format != "table":
        print_records(records, format)
        return
    cells = [
        {
            "setting": one.setting.name,
            "class": one.setting.kind,
            "networks": one.networks,
            "by": one.by,
            "n": one.n,
            "nearly": one.approximate or "",
            **{c.name: _cell(c) for c in one.correlations},
        }
        for one in ranked
    ]
    print_records(cells, "table")
    for group, by in dict.fromkeys((one.networks, one.by) for one in ranked):
        click.echo()
        say(f"{by} and latency, {group} networks: Spearman's rank correlation by class")
        some = [one for one in ranked if (one.networks, one.by) == (group, by)]
        print_records(summary_records(some), "table")
    say(
        "95% intervals by resampling networks; nearly: networks whose MACs are beyond 5% of the zoo's, by "
        "their own MACs"
    )
    say(NOT_OURS)


def summary_records(ranked: Sequence[Ranked]) -> list[dict[str, object]]:
    """Return the summary by class as plain data."""
    return [
        {
            "class": s.kind,
            "settings": s.settings,
            "chips": s.devices,
            "median": f"{s.median:.2f}",
            "from": f"{s.lowest:.2f}",
            "to": f"{s.highest:.2f}",
            "above 0.9": s.above_90,
            "below 0.5": s.below_50,
        }
        for s in summarise(ranked)
    ]


def record(one: Ranked) -> dict[str, object]:
    """Return a ranked setting as plain data."""
    found: dict[str, object] = {
        "device": one.setting.device.device,
        "chip": one.setting.device.chip,
        "class": one.setting.kind,
        "setting": one.setting.name,
        "threads": one.setting.threads,
        "runtime": one.setting.runtime,
        "precision": one.setting.precision,
        "networks": one.networks,
        "by": one.by,
        "n": one.n,
        "approximate": one.approximate,
    }
    for c in one.correlations:
        name = c.name.lower()
        found |= {name: round(c.value, 4), f"{name}_lo": _round(c.lo), f"{name}_hi": _round(c.hi)}
    return found


def print_like(found: dict[str, Like], format: str) -> None:
    """Print for each setting of some rows the nearest published devices, then the other networks' latencies."""
    if format == "json":
        print_json([{"rows": name, **like_record(one)} for name, one in found.items()])
        return
    if format == "csv":
        print_records([{"rows": name, **e} for name, one in found.items() for e in estimate_records(one)], "csv")
        return
    for name, one in found.items():
        click.echo()
        say(f"{name}: of {counted(len(one.known), 'network')} the latency is known ({', '.join(one.known)})")
        print_records(
            [
                {
                    "like": near.setting.name,
                    "class": near.setting.kind,
                    "apart": f"±{near.apart - 1:.0%}",
                    "takes": f"{near.speed:.2f} times as long",
                }
                for near in one.near
            ],
            "table",
        )
        click.echo()
        print_records(
            [
                {
                    "network": e.network,
                    "estimate ms": f"{e.latency_ms:.3g}",
                    "90%": f"{e.lo_ms:.3g} to {e.hi_ms:.3g}",
                    "published settings": e.settings,
                }
                for e in one.estimates
            ],
            "table",
        )
    say("estimates from published devices, no measurements; the interval holds what left-out devices were off by")


def like_record(one: Like) -> dict[str, object]:
    """Return what a device is like as plain data."""
    return {
        "known": list(one.known),
        "nearest": [
            {"setting": n.setting.name, "class": n.setting.kind, "apart": round(n.apart, 4), "times": round(n.speed, 4)}
            for n in one.near
        ],
        "estimates": estimate_records(one),
    }


def estimate_records(one: Like) -> list[dict[str, object]]:
    """Return the estimates as plain data, latencies in ms."""
    return [
        {
            "network": e.network,
            "estimate_ms": float(f"{e.latency_ms:.5g}"),
            "estimate_lo_ms": float(f"{e.lo_ms:.5g}"),
            "estimate_hi_ms": float(f"{e.hi_ms:.5g}"),
            "published_settings": e.settings,
        }
        for e in one.estimates
    ]


def _cell(one: Correlation) -> str:
    interval = "" if one.lo is None or one.hi is None else f" ({one.lo:.2f} to {one.hi:.2f})"
    return f"{one.value:.2f}{interval}"


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _several(texts: Iterable[str]) -> str:
    """Join what several settings have, each once, at most four."""
    return listed([text for text in texts if text], 4)
