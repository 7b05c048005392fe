"""The profile as text for the terminal, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from bench.base.words import counted
from bench.profiling.classes import GROUP_OF
from bench.profiling.combine import OperatorTime, Profile, Total
from bench.profiling.network import ProfiledOperator
from bench.report.text.print import cell, grid, plus_minus

SCALED = 0.005  # from which on a scale is told


def header(profile: Profile) -> list[str]:
    """Say in lines what was profiled, what adds up to what, and what the profiler cost."""
    latency, effective, overhead = profile.latency_ms, profile.effective, profile.overhead
    interval = ""
    if profile.latency_lo_ms is not None and profile.latency_hi_ms is not None:
        interval = f" {plus_minus((profile.latency_hi_ms - profile.latency_lo_ms) / 2 / latency)}"
    threads = effective["threads"]
    ran = f"{effective['precision']}, {'threads unknown' if threads is None else counted(threads, 'thread')}"
    sign = "-" if profile.residual_ms < 0 else "+"
    launches = counted(profile.launches, "launch")
    lines = [
        f"{profile.case} ({effective['version']}, {ran})",
        f"latency {latency:.3f} ms{interval} ({launches}, unprofiled) = "
        f"{profile.operators_ms:.3f} ms in {counted(len(profile.operators), 'operator')} "
        f"{sign} {abs(profile.residual_ms):.3f} ms residual ({profile.residual_ms / latency:.1%})",
        f"profiled {overhead.profiled_ms:.3f} ms, raw sum {overhead.raw_operators_ms:.3f} ms; "
        f"{overhead.delta_us:+.2f} µs per profiler event taken out",
    ]
    if abs(overhead.scale - 1) >= SCALED:
        lines[-1] += f", then scaled by {overhead.scale:.3f}: what it takes without the profiled twin over with it"
    lines += warnings(profile.operators, profile.residual_ms, latency, mark="~ is ")
    if profile.unaccounted_macs:
        lines.append(f"{profile.unaccounted_macs:,} MACs of the source belong to no operator that was found")
    return lines


def warnings(
    operators: Sequence[OperatorTime | ProfiledOperator],
    residual_ms: float,
    latency_ms: float,
    least: float = 0.0,
    mark: str = "",
) -> list[str]:
    """Say in lines how much of a profile cannot be told precisely, from a share on, and what is wrong with it."""
    vague = [op for op in operators if not op.precise]
    share = sum(op.time_us for op in vague) / 1e3 / latency_ms
    lines = []
    if vague and share >= least:
        what = f"{len(vague)} of {counted(len(operators), 'operator')}, {share:.1%} of the latency together"
        lines.append(f"{mark}too short to tell beside the profiler's cost: {what}")
    if residual_ms < -0.02 * latency_ms:
        lines.append(
            "operators exceed the latency: a disturbed machine, or a cost beyond the calibration; shares are too high"
        )
    return lines


def classes(profile: Profile) -> Table:
    """Lay out the families of classes, each with its classes."""
    table = grid(("where the time goes",), ("operators", "ms", "share", "M MACs", "GMAC/s"), tight=True)
    found = profile.classes()
    for group, total in profile.groups().items():
        mine = [name for name in found if GROUP_OF[name] == group]
        table.add_row(group, *_total(total))
        if mine != [group]:
            for name in mine:
                table.add_row(f"  {name}", *_total(found[name]))
    residual = profile.residual_ms
    table.add_row("residual", "", f"{residual:.3f}", f"{residual / profile.latency_ms:.1%}", "", "")
    return table


def operators(profile: Profile, top: int) -> Table:
    """Lay out the `top` costliest operators."""
    table = grid(("operator", "class"), ("µs", "±", "raw", "share", "M MACs", "pad", "GMAC/s"), ("layout",), tight=True)
    for op in sorted(profile.operators, key=lambda op: -op.time_us)[:top]:
        pad = f"{op.padded_macs / op.macs:.2f}" if op.padded_macs and op.macs else ""
        table.add_row(
            cell(_short(op)),
            op.class_,
            f"{'' if op.precise else '~'}{op.time_us:.1f}",
            "" if op.sd_us is None else f"{op.sd_us:.1f}",
            f"{op.raw_us:.1f}",
            f"{op.share:.1%}",
            f"{op.macs / 1e6:.1f}" if op.macs else "",
            pad,
            f"{op.gmacs_per_s:.1f}" if op.gmacs_per_s else "",
            cell(_layout(op)),
        )
    return table


def _total(total: Total) -> list[str]:
    speed = total["gmacs_per_s"]
    macs = f"{total['macs'] / 1e6:.1f}" if total["macs"] else ""
    times = [f"{total['time_ms']:.3f}", f"{total['share']:.1%}"]
    return [str(total["operators"]), *times, macs, "" if speed is None else f"{speed:.1f}"]


def _short(op: OperatorTime, width: int = 24) -> str:
    """Name the operator by its first source node, else by its own name, which may change from load to load."""
    name = op.sources[0] if op.sources else op.name
    more = f" +{len(op.sources) - 1}" if len(op.sources) > 1 else ""
    room = width - len(more)
    return (name if len(name) <= room else f"{name[: room - 1]}…") + more


def _layout(op: OperatorTime) -> str:
    if not op.layout_in or not op.layout_out or op.layout_in == op.layout_out:
        return op.layout_out or op.layout_in
    return f"{op.layout_in}>{op.layout_out}"
