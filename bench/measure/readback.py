"""Whether what ran is what was asked and computes what it should, from what the worker read back."""

from __future__ import annotations

from bench import backends
from bench.artifact.artifact import Artifact
from bench.backends import versions
from bench.backends.answers import Inspected
from bench.backends.base import Placement
from bench.backends.tolerance import allowed
from bench.base.words import counted
from bench.plan.case import Case

# Every runtime shares an operator of so many MACs among its threads; smaller ones may not be worth it.
SHARED_MACS = 10_000_000


def asked_precision(case: Case, artifact: Artifact) -> str:
    """Return the precision that the case asks for: its own, or that of the model's weights."""
    return backends.get(case.backend.name).asked_precision(artifact, case.backend.options)


def fault_of(
    case: Case, artifact: Artifact, parity: float, inspected: Inspected, require_device: bool = False
) -> tuple[str, str] | None:
    """Return status and reason if what ran is not what was asked, or computes something else; None if all is well.

    `parity` is the worst relative L2 error of the output, `inspected` the worker's answer to ``inspect``. It is judged
    first: a network that computes something else has no speed, whatever else is wrong with it. With `require_device`
    it fails where less than all of it ran on the device, or in the delegate, that was asked for.
    """
    return (
        _mismatch(artifact, parity, inspected)
        or (_left(inspected) if require_device else None)
        or _overcounted(case, artifact, inspected)
        or _lowered(case, artifact, inspected)
    )


def remarks_of(case: Case, artifact: Artifact, inspected: Inspected) -> list[str]:
    """Return what a reader must know of a row that stands, a phrase each."""
    executed, told = inspected["macs_executed"], list(inspected["effective"].get("remarks", ()))
    needed = _needed(inspected)
    if executed is not None and not artifact.uncounted and executed < artifact.macs:
        told.append(f"{executed} of the source's {artifact.macs} MACs ran: the runtime left out what no output needs")
    if executed is not None and needed is not None and needed < executed:
        told.append(f"{executed - needed} of the MACs that ran serve no output")
    by_precision = inspected.get("macs_by_precision") or {}
    floats = {precision: n for precision, n in by_precision.items() if not precision.startswith("int") and n}
    if artifact.quantization is not None:  # the error column tells what the runtime did, and this what int8 did
        told.append(f"held against the quantised network, which is {artifact.quantization.cost:.2g} off fp32")
    if artifact.quantization is not None and floats:
        share = sum(floats.values()) / sum(by_precision.values())
        told.append(f"{share:.1%} of the MACs ran in {' and '.join(sorted(floats))}, not in int8")
    busy, threads = inspected.get("busy_threads"), case.settings.threads * _streams(inspected)
    if busy is not None and busy < threads:
        told.append(f"{busy} of {threads} threads computed")
    return told


def _mismatch(artifact: Artifact, parity: float, inspected: Inspected) -> tuple[str, str] | None:
    tolerance = allowed(artifact, inspected["effective"]["precision"])
    if parity <= tolerance:
        return None
    reasons = "; ".join(artifact.remarks)
    error = "NaN or infinity in an output, or one that nobody wrote" if parity == float("inf") else ""
    return "mismatch", (
        f"{error or f'relative L2 error {parity:.2g}'} against {artifact.reference_by}; {tolerance:.3g} is allowed"
        + (f". {reasons}" if reasons else "")
    )


def _left(inspected: Inspected) -> tuple[str, str] | None:
    """Find what did not run where it was required to."""
    elsewhere = Placement(**inspected["effective"]["placement"]).fault()
    return ("failed", f"the device was required, and {elsewhere}") if elsewhere else None


def _overcounted(case: Case, artifact: Artifact, inspected: Inspected) -> tuple[str, str] | None:
    """Find a runtime that did more than the source has; one that runs the module may compute what a file holds."""
    executed, takes = _needed(inspected), backends.get(case.backend.name).capabilities.takes
    if executed is None or artifact.uncounted or takes != "onnx" or executed <= artifact.macs:
        return None
    return "failed", (
        f"the runtime's graph has {executed} MACs and the source {artifact.macs}: one of them is counted wrongly"
    )


def _needed(inspected: Inspected) -> int | None:
    """Return the MACs that ran and that an output depends on; None where nothing tells."""
    found: int | None = inspected.get("macs_needed", inspected["macs_executed"])
    return found


def _lowered(case: Case, artifact: Artifact, inspected: Inspected) -> tuple[str, str] | None:
    effective, asked = inspected["effective"], asked_precision(case, artifact)
    if effective["precision"] == "unknown":
        return "downgraded", f"nothing tells whether it ran in {asked}"
    # Weights of few bits before arithmetic of more: a runtime may do either.
    lawful = {asked, artifact.computes} if asked == artifact.precision else {asked}
    if effective["precision"] not in lawful:
        return "downgraded", f"ran in {effective['precision']}, not in {asked}"
    wanted = case.backend.version
    if wanted and not versions.same(wanted, effective["version"]):
        return "downgraded", f"ran {case.backend.name} {effective['version']}, not {wanted}"
    if effective.get("unmet"):
        return "downgraded", "; ".join(effective["unmet"])
    placement = Placement(**effective["placement"])
    if placement.fault() and not placement.delegate:
        return "downgraded", placement.fault()
    threads = case.settings.threads
    if effective["device"] != "cpu":
        return None
    if effective["threads"] not in (threads, None):
        return "downgraded", f"ran with {counted(effective['threads'], 'thread')}, not with {threads}"
    busy, streams = inspected.get("busy_threads"), _streams(inspected)
    # A runtime that does not tell its graph has the source's operators, or larger ones.
    largest = inspected.get("largest_macs") or max((op.macs for op in artifact.mac_ops), default=0)
    least = streams * threads if largest >= SHARED_MACS else streams
    if busy is not None and busy < least:
        return "downgraded", f"{busy} of {streams * threads} threads computed: something keeps the others from it"
    return None


def _streams(inspected: Inspected) -> int:
    """Return how many inferences ran at once."""
    return inspected["effective"].get("streams") or 1
