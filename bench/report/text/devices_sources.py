"""The parts of ``docs/devices.md`` that need no ranking: how well a few networks tell the others, and the sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.papers import devices as published
from bench.papers.device_records import MATCHES
from bench.report.text.print import markdown_table


def transferred(told: Mapping[str, Any]) -> list[str]:
    """Return the part on predictions from three networks; `told` is what `benchmarks/devices_transfer.py` wrote."""
    like, floor, cover = told["device"], told["floor"], told["coverage"]
    rows = [
        {
            "given three latencies": name,
            "median error": f"{one['median']:.1%}",
            "within 10%": f"{one['within_10']:.0%}",
            "within 20%": f"{one['within_20']:.0%}",
            "90th percentile": f"{one['p90']:.0%}",
            "a maker left out: median": f"{told['maker'][name]['median']:.1%}",
            "within 10% ": f"{told['maker'][name]['within_10']:.0%}",
            "n": str(one["n"]),
        }
        for name, one in like.items()
    ]
    lines = [
        "## Three networks tell the others",
        "",
        f"On the {told['settings']} CPU settings ({told['chips']} chips, {told['makers']} makers) that have "
        "all fifteen common",
        f"networks, {', '.join(told['probes'])} are given, and the other twelve predicted from the other "
        "devices. Left out",
        "is a chip with all its settings and revisions; then a maker with all its chips "
        "(`benchmarks/devices_transfer.py`).",
        "",
        *markdown_table(rows),
        "",
        f"The noise floor: {floor['pairs']} pairs of settings of one chip with as many threads, published "
        "twice, differ by a",
        f"median of {floor['median']:.1%} once their speeds are made equal ({floor['within_10']:.0%} within "
        "10%; without that",
        f"{floor['unscaled']['median']:.1%}). The 90% intervals hold {cover['device']['share']:.0%} of what is "
        "published with a",
        f"chip left out and {cover['maker']['share']:.0%} with a maker left out; half of them reach less than "
        "a factor of",
        f"{cover['device']['median_factor']:.2f} either way.",
        "",
    ]
    if chosen := told.get("chosen_without"):
        lines += [
            f"With the probes chosen anew without each chip, the median error is {chosen['median']:.1%} and "
            f"{chosen['within_10']:.0%} are within 10%.",
            "",
        ]
    classes = [
        {
            "class": kind,
            "median error": f"{one['median']:.1%}",
            "within 10%": f"{one['within_10']:.0%}",
            "n": str(one["n"]),
        }
        for kind, one in told["by_class"].items()
    ]
    nets = [
        {"network": name, "median error": f"{one['median']:.1%}", "within 10%": f"{one['within_10']:.0%}"}
        for name, one in told["by_network"].items()
    ]
    lines += [*markdown_table(classes), "", *markdown_table(nets), ""]
    others = [
        {
            "runtime left out": one["runtime"],
            "settings": str(one["settings"]),
            "networks": str(one["networks"]),
            "median error": f"{one['median']:.1%}",
            "within 10%": f"{one['within_10']:.0%}",
            "in the 90% interval": f"{one['coverage']:.0%}",
        }
        for one in told["runtime"]
    ]
    if others:
        lines += [
            "A runtime left out, with three probes from the networks that it shares with the others: another "
            "runtime is",
            "another thing, and the intervals, learnt from the rest, say so only in part.",
            "",
            *markdown_table(others),
            "",
        ]
    return lines


def sources() -> list[str]:
    """Return the part on the tables: sources, licences, doubts."""
    rows = published.rows()
    listed = [
        {
            "table": name,
            "source": f"[{source.title}]({source.url.split(' ')[0]})",
            "licence": source.licence,
            "rows": str(sum(row.table == name for row in rows)),
            "doubtful": str(sum(row.table == name and row.doubt != "" for row in rows)),
            "statistic": source.statistic,
        }
        for name, source in published.sources().items()
    ]
    known = published.networks().values()
    counts = {match: sum(n.match == match for n in known) for match in MATCHES}
    doubts = [
        f"- {one.table}: "
        + ", ".join(filter(None, (one.device, one.network, one.precision, one.mode)))
        + f": {one.finding}"
        for one in published.doubtful()
    ]
    return [
        "## Where it is from",
        "",
        "| table | source | licence | rows | doubtful | statistic |",
        "| --- | --- | --- | --- | --- | --- |",
        *(f"| {' | '.join(one.values())} |" for one in listed),
        "",
        f"Of {len(known)} network names {counts['same']} are networks of the zoo, by MACs and resolution;",
        f"{counts['approximate']} are nearly one (beyond 5% of the MACs), and {counts['']} are none, or their "
        "source does not tell:",
        "the last are in the table, and in no ranking. Doubtful rows are kept and stand in no figure:",
        "",
        *doubts,
    ]
