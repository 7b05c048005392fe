"""From an artifact to the folder that a worker loads it from: quantised where int8 is asked for, then converted where
its backend converts, then uploaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from bench import backends, export
from bench.artifact.artifact import Artifact
from bench.backends import prepare
from bench.base.errors import BenchError
from bench.export import lay_weights, quantize, rounded
from bench.plan.case import Case
from bench.transport.base import Transport

SIDES = "AB"  # what two cases that are compared are called


def exported(
    case: Case,
    seed: int,
    on_export: Callable[[], None] = lambda: None,
    on_convert: Callable[[], None] = lambda: None,
    timeout_s: float = export.TIMEOUT_S,
    artifact_of: Callable[..., Artifact] = export.ensure,
) -> Artifact:
    """Return the artifact of what a case runs: its network's, in int8 where the case asks for that.

    A backend that converts quantises, too: then the artifact is that of the network, and says what its converter says.
    What a lower precision of floats costs the network is found, too, the first time that it is asked for.

    Raises:
        BenchError: the network cannot be exported or quantised.
    """
    artifact = artifact_of(case.network, seed, on_export, timeout_s)
    backend, options = backends.get(case.backend.name), case.backend.options
    asked = backend.asked_precision(artifact, options)
    if asked != "int8" or artifact.precision == "int8":
        return rounded.known(artifact, asked) if asked != artifact.precision else artifact
    if backend.capabilities.conversion is None:
        return quantize.ensure(artifact, str(options.get("calibration", "")), on_convert)
    told = prepare.ensure(artifact, case.backend, on_convert)
    return replace(
        artifact,
        precision=told.precision,
        computes=told.computes,
        noise=told.noise,
        reference_by=told.reference_by,
        quantization=told.quantization,
    )


def sides(
    cases: Sequence[Case], seed: int, timeout_s: float, doing: Callable[[Case, str], None] = lambda case, what: None
) -> list[Artifact]:
    """Return the artifacts of cases that are measured beside each other; of two, an error says whose it is.

    Raises:
        BenchError: see `exported`.
    """
    found = []
    for side, case in zip(SIDES, cases, strict=False):
        try:
            begins = partial(doing, case, "exporting"), partial(doing, case, "converting")
            found.append(exported(case, seed, *begins, timeout_s))
        except BenchError as error:
            if len(cases) > 1:
                error.of(side)
            raise
    return found


def bring(transport: Transport, case: Case, artifact: Artifact, on_convert: Callable[[], None] = lambda: None) -> str:
    """Return the folder on the device. Converting is no part of any time that is told: call it before the launch.

    Raises:
        Unsupported: the backend's converter cannot convert it.
        ArtifactError: the module that the backend takes cannot be built any more.
        LinkLost: the device is out of reach.
    """
    ready = prepare.ensure(artifact, case.backend, on_convert)
    form = "converted" if ready.converted else backends.get(case.backend.name).capabilities.form
    if form == "module":
        lay_weights(artifact)
    return transport.upload(ready, form)
