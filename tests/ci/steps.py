"""The steps of the workflows and of the action, read from their YAML."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
GITHUB = PROJECT / ".github"
FILES = [*sorted(GITHUB.glob("workflows/*.yml")), *sorted(GITHUB.glob("actions/*/action.yml"))]
SCRIPTS = sorted(GITHUB.rglob("*.sh"))


@dataclass(frozen=True)
class Step:
    """One step, with the variables that its job and itself set; `name` is for messages."""

    file: Path
    name: str
    raw: dict[str, Any]
    env: dict[str, str]

    @property
    def script(self) -> str:
        """What it runs; the empty text where it uses an action."""
        return str(self.raw.get("run", ""))


def read(path: Path) -> dict[str, Any]:
    """Parse a file; YAML takes the key ``on`` for a truth value."""
    data: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else str(key): value for key, value in data.items()}


def steps(path: Path) -> list[Step]:
    """Return the steps of a workflow's jobs, or of an action."""
    data = read(path)
    found = []
    for name, job in data.get("jobs", {"": data.get("runs")}).items():
        for number, raw in enumerate(job["steps"]):
            label = f"{path.name}: {name} {raw.get('name') or raw.get('uses') or raw.get('run') or number}"
            found.append(Step(path, label, raw, job.get("env", {}) | raw.get("env", {})))
    return found


def bench_commands(script: str) -> list[str]:
    """Return the command lines of a script that call `bench`, from the name on, up to what the shell does with them."""
    joined = re.sub(r"\\\n\s*", " ", script)
    found = []
    for line in joined.splitlines():
        match = re.search(r"(?:^|[\s;(/\"])bench\"? +([a-z]\w*\s.*|[a-z]\w*$)", line.strip())
        if match and not line.strip().startswith("#"):
            found.append(re.split(r"\s(?:\|\||[|;&]|\d?>+)", match.group(1))[0].strip())
    return found


def expand(command: str, values: dict[str, str]) -> list[str]:
    """Split a command line into words, with the variables of `values` in place; KeyError for any other."""

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1) or match.group(3), match.group(2)
        return values[name] if default is None else values.get(name, default)

    return shlex.split(re.sub(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))", value, command))


def run(script: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a runner would, with this environment's `bench` first in the path."""
    python = Path(sys.executable)
    shim = cwd / ".bin"
    shim.mkdir(exist_ok=True)
    shim.joinpath("bench").write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} -m bench "$@"\n')
    shim.joinpath("bench").chmod(0o755)
    # As the `shell: bash` of a workflow: https://docs.github.com/actions (jobs.<job_id>.steps[*].shell)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=cwd,
        env=os.environ | {"PATH": f"{shim}:{os.environ['PATH']}"} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
