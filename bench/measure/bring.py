"""From an artifact to the folder that a worker loads it from: converted where its backend converts, then uploaded."""

from __future__ import annotations

from collections.abc import Callable

from bench import backends
from bench.artifact.artifact import Artifact
from bench.backends import prepare
from bench.export import lay_weights
from bench.plan.case import Case
from bench.transport.base import Transport


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
