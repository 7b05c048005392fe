"""From what the launches of a case brought to its row: statistics, and what really ran."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench
from bench.artifact.artifact import Artifact
from bench.backends.answers import Block, Inspected
from bench.base.errors import BenchError, clip
from bench.graph.floor import groups_of
from bench.machine import roofs as store
from bench.machine.environment import Environment
from bench.machine.roof import LIMIT, Roofline
from bench.measure import device, energies, sustain
from bench.measure.limits import limit_columns
from bench.measure.readback import asked_precision, remarks_of
from bench.measure.state import CaseState
from bench.measure.status import judge
from bench.plan.case import Case
from bench.plan.protocol import LATENCY, THROUGHPUT, Protocol
from bench.plan.spec import any_precision
from bench.rows.schema import STATUSES, Row
from bench.stats.summary import Estimate, percentile

EIGHT_BITS = ("int8", "int4")


def build_row(state: CaseState, protocol: Protocol, environment: Environment, run_id: str) -> Row:
    """Make the row of a case that has ended, well or not."""
    status, error = judge(state, protocol)
    case = state.case
    under_roof, above = _of_roofline(state, environment, status)
    if above:
        status, error = "failed", above
    values = _of_case(case, protocol, run_id, state.started_at, status, error) | {
        "arch": environment.arch,
        "cpu": environment.cpu,
        "microarchitecture": environment.microarchitecture,
        "cpu_id": environment.cpu_id,
        "hypervisor": environment.hypervisor,
        "os": f"{environment.os}, kernel {environment.kernel}",
    }
    if state.artifact is not None:
        values |= _of_artifact(state.artifact, case)
    if state.inspected is not None:
        values |= _of_quantization(state.artifact, state.inspected)
        values |= _of_inspection(state.inspected, partial=state.artifact is None or bool(state.artifact.uncounted))
    values |= _of_samples(state)
    values |= sustain.columns(state)
    values |= energies.columns(state.energies)
    values["remark"] = clip("; ".join(_remarks(state)), 500)
    values |= under_roof
    if values.get("latency_ms") and values.get("macs"):
        values["gmacs_per_s"] = values["macs"] / values["latency_ms"] / 1e6
    values |= limit_columns(protocol.limits, values, state.weighing(), [one.loaded for one in state.launches])
    return Row(**values)


def failed_row(case: Case, protocol: Protocol, run_id: str, error: BenchError) -> Row:
    """Make the row of a case that no machine measured."""
    status = error.status if error.status in STATUSES else "failed"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Row(**_of_case(case, protocol, run_id, now, status, clip(error.told, 500)))


def _of_case(case: Case, protocol: Protocol, run_id: str, started_at: str, status: str, error: str) -> dict[str, Any]:
    return case.columns() | {
        "run_id": run_id,
        "case_id": case.id,
        "started_at": started_at,
        "status": status,
        "seed": protocol.seed,
        "isoflops_version": bench.__version__,
        "error": error,
    }


def _of_artifact(artifact: Artifact, case: Case) -> dict[str, Any]:
    quantization = artifact.quantization
    return {
        "batch": artifact.batch,
        "resolution": artifact.resolution,
        "precision": asked_precision(case, artifact),
        "macs": None if artifact.uncounted else artifact.macs,
        "macs_at_least": artifact.macs if artifact.uncounted else None,
        "flops": None if artifact.uncounted else 2 * artifact.macs,
        "params": artifact.params,
        "quantization": quantization and f"{quantization.recipe}; {quantization.calibration}",
        "quantization_rel_l2": quantization and quantization.cost,
        "parity_reference": artifact.reference_by,
        "artifact_sha256": artifact.sha256,
        "exporter": " ".join(f"{k}={v}" for k, v in artifact.made_by.items()),
    }


def _of_inspection(inspected: Inspected, partial: bool) -> dict[str, Any]:
    """Return what ran; of a graph that was counted in part, or has operators whose work is unknown, no MACs."""
    effective, told = inspected["effective"], inspected.get("device") or {}
    partial = partial or bool(inspected["opaque"])
    return {
        "backend_version": effective["version"],
        "device": effective["device"],
        "on_device_operators": effective["placement"]["operators"],
        "on_device_macs": effective["placement"]["macs"],
        "precision_effective": effective["precision"],
        "threads_effective": effective["threads"],
        "streams_effective": effective.get("streams"),
        "macs_executed": None if partial else inspected["macs_executed"],
        "macs_padded": None if partial else inspected["macs_padded"],
        "driver": told.get("driver"),
        "power_limit_w": told.get("power_limit_w"),
        "device_others": told.get("others"),
        "energy_mj": inspected.get("energy_mj"),
    }


def _of_quantization(artifact: Artifact | None, inspected: Inspected) -> dict[str, Any]:
    """Return what of a quantised network ran in 8 bits; nothing of any other, or where nothing tells."""
    macs = inspected.get("macs_by_precision")
    if artifact is None or artifact.precision not in EIGHT_BITS or macs is None:
        return {}
    low = sum(n for precision, n in macs.items() if precision in EIGHT_BITS)
    return {"macs_int8": low, "macs_float": sum(macs.values()) - low, "quantize_ops": inspected.get("between")}


def _remarks(state: CaseState) -> list[str]:
    """Return what a reader must know of the row besides its columns."""
    told = []
    if state.artifact is not None and state.inspected is not None:
        told += remarks_of(state.case, state.artifact, state.inspected)
    loaded = [launch.loaded for launch in state.launches]
    told += sorted({f"not pinned to cores: {row['unpinned']}" for row in loaded if row.get("unpinned")})
    told += sorted({row["untold"] for row in loaded if row.get("untold")})
    told += filter(None, [energies.remark(state.energies)])
    hidden = sorted({name for row in loaded for name in row.get("hidden", ())})
    told += sustain.remarks(state)
    return [*told, f"set in the worker's environment: {', '.join(hidden)}"] if hidden else told


def _cores(state: CaseState, counting: Sequence[int]) -> str:
    """Name the cores of the launches that count, in the order of the launches."""
    names = [" ".join(map(str, state.launches[number].loaded["cores"])) for number in counting]
    return ", ".join(dict.fromkeys(names))


def _of_roofline(state: CaseState, environment: Environment, status: str) -> tuple[dict[str, Any], str]:
    """Return the columns that follow from this machine's roofline, if it is known, and why the row is wrong, if so."""
    found = state.estimate()
    if state.artifact is None or state.inspected is None or found is None or state.case.settings.mode != LATENCY:
        return {}, ""
    effective = state.inspected["effective"]
    executed, threads = state.inspected["macs_executed"], effective["threads"]
    if executed is None or threads is None or state.artifact.uncounted or state.inspected["opaque"]:
        return {}, ""  # nothing tells how much work there was, or on how many threads
    known = store.of_precisions(environment, state.case.backend.canonical, effective["version"], threads, any_precision)
    known = {precision: one for precision, one in known.items() if one.device in ("", effective["device"])}
    roof = known.get(effective["precision"])
    if roof is None:
        return {}, ""
    by_precision = state.inspected.get("macs_by_precision") or {effective["precision"]: executed}
    at_peak_ns = sum(n / known.get(precision, roof).peak_gmacs_per_s for precision, n in by_precision.items())
    share = at_peak_ns / found.latency_ns
    values = {"attainable_share": share, "floor_ms": floor_ns(state.artifact.path, roof, known) / 1e6}
    if share <= LIMIT or status not in ("ok", "noisy"):
        return values, ""
    return values, (
        f"{share:.0%} of the attainable peak ({roof.peak_gmacs_per_s:.4g} GMAC/s) is impossible: work was folded away, "
        "ran in less precision or was counted wrongly; or the roof is too low (`bench roofline --again`)"
    )


def _of_samples(state: CaseState) -> dict[str, Any]:
    if not state.launches:
        return {}
    loaded = [launch.loaded for launch in state.launches]
    blocks = state.blocks
    weighing = state.weighing()
    samples = [ns for launch in weighing.launches for ns in launch]
    host = [ns for block in blocks for ns in block.get("host_ns", ())]
    rss = [launch.peak_rss_bytes for launch in state.launches if launch.peak_rss_bytes]
    no_cpu = state.scripted or state.on_device  # what the host's cores and caches did says nothing of it
    values: dict[str, Any] = device.columns(blocks) | {
        "launches": len(weighing.launches),
        "over_s": weighing.over_s,
        "regime": "" if no_cpu else weighing.regime,
        "crowded_share": None if no_cpu else weighing.crowded,
        "set_aside": weighing.share_aside,
        "emulated": any(row.get("emulated") for row in loaded),
        "blocks": len(blocks),
        "samples": len(weighing.under_load or samples),
        "cores": _cores(state, weighing.counting),
        "parity_rel_l2": max(row["parity_rel_l2"] for row in loaded),
        "parity_top1": all(row["parity_top1"] for row in loaded),
        "peak_rss_mb": max(rss) / 2**20 if rss else None,
        "steal_ms": _rise(blocks, "steal_ms"),
    }
    switches = _rise(blocks, "involuntary_switches")
    values["involuntary_switches"] = None if switches is None else round(switches)
    for name, key in (("first", "first_ns"), ("second", "second_ns"), ("load", "load_ns"), ("import", "import_ns")):
        values[f"{name}_ms"] = statistics.median(row[key] for row in loaded) / 1e6
    reference = state.reference
    if reference is not None and not no_cpu:
        values |= {
            "baseline": "known" if reference.launches else "own",
            "baseline_ns": reference.gemm_ns,
            "baseline_launches": reference.launches,
        }
    compiled = [row["compile_ns"] for row in loaded if row.get("compile_ns") is not None]
    values["compile_ms"] = statistics.median(compiled) / 1e6 if compiled else None
    found = state.estimate()
    if found is None:
        return values
    values |= {"between_sd": found.between_sd, "between_runs": len(state.past)}
    values["machine_speed"] = None if state.on_device else found.speed
    if state.case.settings.mode == THROUGHPUT:
        return values | _of_throughput(found, weighing.under_load)
    percentiles = {f"p{q}_ms": percentile(samples, q) for q in (50, 90, 99)}
    values |= {k: v / 1e6 for k, v in percentiles.items() if v is not None}
    values |= {
        "latency_ms": found.latency_ns / 1e6,
        "latency_lo_ms": found.lo_ns / 1e6 if found.lo_ns else None,
        "latency_hi_ms": found.hi_ns / 1e6 if found.hi_ns else None,
        "within_lo_ms": found.within_lo_ns / 1e6 if found.within_lo_ns else None,
        "within_hi_ms": found.within_hi_ns / 1e6 if found.within_hi_ns else None,
        "min_ms": min(samples) / 1e6,
        "host_ms": statistics.median(host) / 1e6 if host else None,
    }
    return values


def _rise(blocks: Sequence[Block], counter: str) -> float | None:
    """Return by how much a counter rose while blocks ran, in all; None where nothing counts it."""
    risen = [block["covariates"][counter] for block in blocks if counter in block["covariates"]]
    return sum(risen) if risen else None


def _of_throughput(found: Estimate, under_load: Sequence[int]) -> dict[str, Any]:
    """Return the columns of mode throughput; `found` is the time per sample, so that its ends change places."""
    ends = {
        "throughput": found.latency_ns,
        "throughput_lo": found.hi_ns,
        "throughput_hi": found.lo_ns,
        "throughput_within_lo": found.within_hi_ns,
        "throughput_within_hi": found.within_lo_ns,
    }
    values = {name: 1e9 / ns if ns else None for name, ns in ends.items()}
    loaded = {f"p{q}_under_load_ms": percentile(under_load, q) for q in (50, 99)}
    return values | {name: ns / 1e6 for name, ns in loaded.items() if ns is not None}


def floor_ns(path: str | os.PathLike[str], roof: Roofline, others: Mapping[str, Roofline] | None = None) -> float:
    """Return the floor of an ONNX file with static shapes; its external data is not read.

    `roof` is that of the precision that ran. What a quantised file leaves in floats is held against the roof of that
    precision, if it is among the `others`; what ran in floats of two bytes moves half of what is in a file of fp32.
    """
    halved = 0.5 if roof.precision in ("fp16", "bf16") else 1.0
    total = 0.0
    for group in groups_of(Path(path)):
        of = (others or {}).get(group.precision, roof) if roof.precision == "int8" else roof
        total += of.floor_ns(group.macs, group.moved_bytes * (halved if group.precision in ("", "fp32") else 1.0))
    return total
