"""How well a case was measured: the status of its row, and the reason of one that is not ``ok``."""

from __future__ import annotations

from bench.measure import device
from bench.measure.evidence import BECAME, Weighing
from bench.measure.readback import fault_of
from bench.measure.state import CaseState
from bench.plan.protocol import THROUGHPUT, Protocol

LONG_S = 90.0  # launches spread over more than this have had what time within an hour can give


def judge(state: CaseState, protocol: Protocol) -> tuple[str, str]:
    """Return status and, where it is not ``ok``, the reason in one line. The worst finding wins."""
    if state.error is not None:
        return state.error.status, state.error.told
    assert state.artifact is not None
    assert state.inspected is not None
    parity = max(launch.loaded["parity_rel_l2"] for launch in (*state.launches, *state.sustained))
    fault = fault_of(state.case, state.artifact, parity, state.inspected, protocol.require_device)
    if fault is not None:
        return fault
    if any(launch.loaded.get("emulated") for launch in state.launches):
        return "noisy", "the CPU is emulated: its times say nothing about any device"
    moved = device.restless(state.blocks)
    if moved:
        return "noisy", moved
    found, weighing = state.estimate(), state.weighing()
    if found is None or not weighing.sound:
        return "noisy", f"not one launch was undisturbed{_aside(weighing)}"
    if found.lo_ns is None:
        if len(state.launches) > 1:
            alone = f"an interval needs two undisturbed launches, and of {len(state.launches)} one was"
            return "noisy", f"{alone}{_aside(weighing)}"
        more = "leave --launches 1 out" if protocol.launches < 2 else "give a larger --budget"
        return "noisy", f"an interval needs two launches at least: {more}"
    half = found.rate_half_width if state.case.settings.mode == THROUGHPUT else found.half_width  # as the row tells it
    if half > protocol.widest:
        return "noisy", f"the 95% interval is ±{half:.1%}, wider than {protocol.widest:.0%}{_why_wide(state)}"
    return "ok", ""


def _aside(weighing: Weighing) -> str:
    """Say what disturbed the blocks that do not count, and who may know why."""
    reasons = ", ".join(f"{n} {BECAME[reason]}" for reason, n in weighing.aside.items())
    lost = sum(weighing.aside.values())
    return f" ({lost} of {weighing.blocks} timing blocks do not count: {reasons}); `bench doctor` may know why"


def _why_wide(state: CaseState) -> str:
    """Say what the interval is wide of, and what to do about it."""
    found, reference = state.estimate(), state.reference
    assert found is not None
    if found.within_half_width > found.half_width / 2:
        if not 0.95 < found.speed < 1.05:
            return f"; the machine ran at {found.speed:.0%} of its baseline speed"
        return ": the launches of this run differ; a larger --budget narrows it"
    met = state.on_device or (reference is not None and reference.visits >= 2)
    if not met and state.case.settings.mode == THROUGHPUT:
        return ": throughput was hardly measured here before; further runs narrow it"
    if not met:
        return ": this machine was hardly met before; `bench doctor --learn` makes it known in a minute"
    remedy = "--over 2m narrows it" if state.weighing().over_s < LONG_S else "more runs of it, an hour apart, narrow it"
    return f": runs of such cases on this machine differ by {found.between_sd:.1%}; {remedy}"
