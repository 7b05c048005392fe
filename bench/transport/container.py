"""Into a container: docker or podman on this machine, one container for a run, without network."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from bench.artifact import package
from bench.artifact.artifact import Artifact
from bench.base import cache
from bench.base.errors import Unreachable, clip
from bench.base.words import last_line
from bench.plan.target import Target
from bench.transport.connection import Connection
from bench.transport.remote import Remote

CARRIED = "/isoflops/carried"


class ContainerTransport(Remote):
    """A container on this machine. Its artifacts lie in a folder of our cache that it sees and cannot write."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.name)
        self.target = target
        self.container = f"isoflops-{self.run}"

    def dial(self) -> Connection:
        """Start the container with an agent in it."""
        return Connection(command(self.target, self.container, self.run, cache.folder("carried")), self.name)

    def diagnose(self, code: int | None, said: str) -> Unreachable:
        """Tell the engine's failures from those of what it was to run."""
        last = clip(last_line(said, f"exit code {code}"), 160)
        image, engine = self.target.image, self.target.engine
        text = said.lower()
        if "no such image" in text or "unable to find image" in text or "image not known" in text:
            return Unreachable(
                f"{self.name}: there is no image {clip(image)} here", f"{engine} pull {clip(image)}, or build it"
            )
        if "cannot connect to the docker daemon" in text or "permission denied while trying to connect" in text:
            return Unreachable(f"{self.name}: {engine} is not to be reached: {last}", f"does `{engine} info` work?")
        if "No module named" in said and "bench" in said:
            return Unreachable(f"{self.name}: the image {clip(image)} has no isoflops", self.remedy)
        return Unreachable(f"{self.name}: {engine} says: {last}", f"try {engine} run --rm {clip(image)}")

    @property
    def remedy(self) -> str:
        """What to do where the image has another version, or none."""
        return "build the image from this version, or name another `image` in the target"

    def upload(self, artifact: Artifact, form: str) -> str:
        """Lay the artifact into the folder that the container sees."""
        here = package.lay(package.pack(artifact, form))
        return f"{CARRIED}/{here.name}"

    def hang_up(self) -> None:
        """Close the connection, which ends the container; where the engine keeps it all the same, kill it."""
        held = self._connection is not None
        super().hang_up()
        if held:
            kill = [self.target.engine, "kill", self.container]
            subprocess.run(kill, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)


def command(target: Target, container: str, run: str, carried: Path) -> list[str]:
    """Return the engine's command line."""
    limits = ["--cpuset-cpus", ",".join(map(str, target.cores))] if target.cores else []
    # Without swap beside it: a network that needs more than its limit is to fail, not to crawl.
    limits += ["--memory", target.memory, "--memory-swap", target.memory] if target.memory else []
    return [
        target.engine, "run", "--rm", "--interactive", "--pull", "never", "--network", "none", "--name", container,
        # The name tells machines apart whose baseline speed is remembered, and a container has a new one each time.
        "--hostname", f"{platform.node()[:50]}-container",
        "--volume", f"{carried}:{CARRIED}:ro", *limits, *target.options,
        "--entrypoint", target.python or "python3", target.image, "-P", "-m", "bench.transport.agent", run,
    ]  # fmt: skip
