"""``docs/devices.md``: what published latencies say of FLOPs, with every number computed from the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.devices.explain import explain
from bench.devices.own import Likeness, Own, likeness
from bench.devices.pairs import Ratio, ratios
from bench.devices.ranks import ALL, DRAWN, MACS, MOBILE, Ranked, rank
from bench.devices.settings import Setting, settings
from bench.papers import devices as published
from bench.report.text.devices import summary_records
from bench.report.text.devices_sources import sources, transferred
from bench.report.text.print import markdown_table

MANY = 16  # threads
NEAR = 0.1  # of what MACs say
NPU_PAIR = ("resnet18", "shufflenet_v2", "w8a8")
HAILO_PAIR = ("repghost_1_0x", "resnet_v1_50")
CLIENT = "desktop CPU"

Line = dict[str, str]


def page(own: Mapping[str, Own], transfer: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        own: our own latencies by the file they are from, then by setting and network.
        transfer: what `benchmarks/devices_transfer.py` wrote.
    """
    every = settings()
    ranked = rank(every, DRAWN, networks=(MOBILE, ALL), by=(MACS,))
    mobile = [one for one in ranked if one.networks == MOBILE]
    pairs = ratios(every)
    parts = [
        "# Devices",
        "",
        "How far do FLOPs tell speed on devices that others measured? Every latency on this page was published by",
        "somebody else (`models/published/devices/`, with source, commit and licence of each row); none is a "
        "measurement of",
        "this program, and none has an interval. `bench devices` prints the table, `show NAME` a device, "
        "`rank` all that",
        "follows, `like ROWS` what a device of one's own is like. This page is generated: `make docs`.",
        "",
        *_pictures(mobile, pairs),
        "## What it shows",
        "",
        *(f"{i}. {text}" for i, text in enumerate(_sentences(mobile, pairs), 1)),
        "",
        "## By class",
        "",
        "Spearman's rank correlation of MACs with latency, in settings (device, unit, threads, runtime, "
        "precision) that",
        f"have at least {DRAWN} networks (`bench devices rank --least {DRAWN}`) that were found to be the zoo's by "
        "MACs, resolution and variant, or "
        "nearly (those by",
        "their own MACs). Among all networks size alone gives an order, from MobileNet to VGG.",
        "",
        "Mobile networks:",
        "",
        *_table(summary_records(mobile)),
        "",
        "All networks:",
        "",
        *_table(summary_records([one for one in ranked if one.networks == ALL])),
        "",
        *_explained(mobile),
        *_turns(every),
        *_ours(own, every),
        *transferred(transfer),
        *sources(),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _pictures(mobile: Sequence[Ranked], pairs: Sequence[Ratio]) -> list[str]:
    first = [one for one in pairs if one.pair == pairs[0].pair]
    near = sum(abs(one.times / one.macs - 1) <= NEAR for one in first)
    return [
        f"![{len(mobile)} published settings in order of the rank correlation of MACs with latency among "
        "mobile networks, "
        "coloured by class: phones and boards lie at the upper end, servers with many threads, NPUs and some "
        "GPUs at the "
        "lower.](img/devices-order.svg)",
        "",
        f"![Ratios of latency of three pairs of networks by class, beside the ratio of their MACs: MobileNet V1 over "
        f"ShuffleNet V2 is within 10% of the {first[0].macs:.1f} that MACs say on {near} of {len(first)} "
        "settings.](img/devices-pairs.svg)",
        "",
    ]


def _sentences(mobile: Sequence[Ranked], pairs: Sequence[Ratio]) -> list[str]:
    """Five sentences, with counts."""
    rho = [one.spearman.value for one in mobile]
    small = [one.spearman.value for one in mobile if one.setting.kind in ("small core", "big core")]
    many = [
        one.spearman.value for one in mobile if one.setting.kind == "server CPU" and (one.setting.threads or 0) >= MANY
    ]
    gpu = [one.spearman.value for one in mobile if one.setting.kind == "GPU"]
    npu = [one.spearman.value for one in mobile if one.setting.kind == "NPU"]
    first = [one for one in pairs if one.pair == pairs[0].pair]
    says = first[0].macs
    near = sum(abs(one.times / says - 1) <= NEAR for one in first)
    faster = sum(one.times < 1 for one in first)
    low, high = min(one.times for one in first), max(one.times for one in first)
    return [
        f"Among mobile networks the rank correlation of MACs with latency has a median of {median(rho):.2f} over "
        f"{len(rho)} settings of {len({one.setting.device.chip for one in mobile})} chips; it is above 0.9 in "
        f"{sum(v > 0.9 for v in rho)} and below 0.5 in {sum(v < 0.5 for v in rho)}.",
        f"On the cores of phones and boards it is {median(small):.2f} (median of {len(small)}), on servers with "
        f"{MANY} threads or more {median(many):.2f} (of {len(many)}), on GPUs {median(gpu):.2f} (of {len(gpu)})"
        + (f", on NPUs {median(npu):.2f} (of {len(npu)})." if npu else "."),
        f"MobileNet V1 has {says:.1f} times ShuffleNet V2's MACs; its time is {low:.2f} to {high:.1f} times "
        f"ShuffleNet V2's, within 10% of what MACs say in {near} of {len(first)} settings, and in {faster} it is the "
        "faster one.",
        *(_pair_sentence(pairs, title) for title in dict.fromkeys(one.pair for one in pairs) if title != pairs[0].pair),
    ]


def _pair_sentence(pairs: Sequence[Ratio], title: str) -> str:
    mine = [one for one in pairs if one.pair == title]
    less = sum(one.times < 1 for one in mine)
    return (
        f"{title}: {mine[0].macs:.1f} times the MACs, {min(o.times for o in mine):.2f} to "
        f"{max(o.times for o in mine):.1f} times the latency (median {median(o.times for o in mine):.2f}), and "
        "faster in "
        f"{less} of {len(mine)} settings."
    )


def _explained(mobile: Sequence[Ranked]) -> list[str]:
    terms, share = explain(mobile)
    lines = [
        "## What goes with it",
        "",
        f"A linear regression of the rank correlation (Fisher's z, {len(mobile)} settings) on what the tables "
        "tell; 95%",
        "intervals by drawing whole chips anew. It describes these tables, and is no experiment: class, "
        "runtime and who",
        f"published go together. It explains {share:.0%} of the variance; a term whose interval holds 0 "
        "explains nothing",
        "for certain.",
        "",
    ]
    rows = [
        {
            "term": term.name,
            "settings": str(term.n),
            "z": f"{term.value:+.2f}",
            "95%": f"{term.lo:+.2f} to {term.hi:+.2f}",
        }
        for term in terms
    ]
    return [*lines, *markdown_table(rows), "", "Against a big core with one thread on ncnn.", ""]


def _turns(every: Sequence[Setting]) -> list[str]:
    """NPUs: what has many times the MACs, and is as fast."""
    big, little, precision = NPU_PAIR
    found = []
    for setting in every:
        if setting.unit == "npu" and setting.precision == precision:
            times = {network.network: ms for network, ms in setting.times.items()}
            if big in times and little in times:
                found.append((setting, times[big], times[little]))
    ratio = [a / b for _, a, b in found]
    hailo = {
        setting.device.device: {n.network: ms for n, ms in setting.times.items()}
        for setting in every
        if setting.table == "hailo"
    }
    known = published.networks()
    a, b = (known["hailo", name, 224] for name in HAILO_PAIR)
    counts = {n.network: n for n in known.values() if n.table == "aihub"}
    macs = (counts[big].macs_m or 0) / (counts[little].macs_m or 1)
    lines = [
        "## On NPUs it turns round",
        "",
        f"On the NPUs of phones, laptops and boards ResNet-18 in 8 bits has {macs:.0f} times the MACs of "
        "ShuffleNet V2 0.5x in 8 "
        "bits; it takes "
        f"{min(ratio):.2f} to {max(ratio):.2f} times as long (median {median(ratio):.2f}, {len(ratio)} "
        "settings), and is "
        f"the faster one in {sum(r < 1 for r in ratio)} of them.",
        "",
    ]
    rows = [
        {
            "device": s.device.device,
            "runtime": s.runtime,
            "ResNet-18 ms": f"{x:.3f}",
            "ShuffleNet V2 0.5x ms": f"{y:.3f}",
            "ratio": f"{x / y:.2f}",
        }
        for s, x, y in sorted(found, key=lambda one: one[1] / one[2])[:8]
    ]
    lines += [*markdown_table(rows), "", "The eight lowest; `bench devices show` has the others.", ""]
    for device, times in hailo.items():
        if all(name in times for name in HAILO_PAIR):
            slow, fast = (times[name] for name in HAILO_PAIR)
            lines.append(
                f"On {device} RepGhost 1.0x ({a.macs_m:.0f} M MACs) takes {slow / fast:.1f} times the time per "
                "image of "
                f"ResNet-50 ({b.macs_m:.0f} M): {slow:.2f} ms against {fast:.2f}."
            )
    return [*lines, ""]


def _ours(own: Mapping[str, Own], every: Sequence[Setting]) -> list[str]:
    lines = [
        "## Are our rows like theirs?",
        "",
        "Rank correlation (Spearman) of our latencies with each published setting that shares at least six "
        "mobile networks",
        "with them, beside that of MACs with the same setting. *Better*: ours is the higher one.",
        "",
    ]
    rows: list[Line] = []
    worse: list[Likeness] = []
    client = 0
    for file, mine in own.items():
        found = likeness(mine, every)
        for ours in dict.fromkeys(one.ours for one in found):
            groups: dict[str, list[Likeness]] = {}
            for one in found:
                if one.ours == ours:
                    groups.setdefault(_group(one.theirs), []).append(one)
            for group in sorted(groups):
                some = groups[group]
                rows.append(
                    {
                        "our rows": f"{file}: {ours}",
                        "published": group,
                        "settings": str(len(some)),
                        "networks": _span(one.own.n for one in some),
                        "ours": f"{median(one.own.value for one in some):.2f}",
                        "MACs": f"{median(one.macs.value for one in some):.2f}",
                        "better": f"{sum(one.better for one in some)} of {len(some)}",
                    }
                )
            on_client = [one for one in found if one.ours == ours and _is_client(one.theirs)]
            client += len(on_client)
            worse += [one for one in on_client if one.own.value < one.macs.value]
    if not rows:
        return [*lines, "No rows of ours share six mobile networks with a published setting.", ""]
    lines += [*markdown_table(rows), ""]
    if worse:
        lines.append(f"On x86 clients ours is the worse predictor in {len(worse)} of {client} comparisons:")
        lines += [
            "",
            *(f"- {o.theirs.name}: ours {o.own.value:.2f}, MACs {o.macs.value:.2f} (n={o.own.n})" for o in worse),
        ]
    else:
        lines.append(f"On x86 clients ours is never the worse predictor ({client} comparisons).")
    return [*lines, ""]


def _group(setting: Setting) -> str:
    if setting.unit != "cpu":
        return setting.kind
    if setting.device.isa == "x86":
        if setting.kind == CLIENT:
            return "x86 client"
        many = (setting.threads or MANY) >= MANY
        return f"x86 server, {MANY} threads or more, or not told" if many else f"x86 server, fewer than {MANY} threads"
    return f"{setting.device.isa.upper()} {setting.kind}" if setting.device.isa == "arm" else "another CPU"


def _is_client(setting: Setting) -> bool:
    return setting.unit == "cpu" and setting.device.isa == "x86" and setting.kind == CLIENT


def _span(counts: Any) -> str:
    listed = sorted(counts)
    return str(listed[0]) if listed[0] == listed[-1] else f"{listed[0]} to {listed[-1]}"


def _table(records: Sequence[Mapping[str, object]]) -> list[str]:
    return markdown_table([{k: str(v) for k, v in record.items()} for record in records])
