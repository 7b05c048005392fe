"""Plug-ins for tests: packages made of a line or two each, found the way an installed one is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import backends

HEAD = """
import os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np
from bench.backends.base import Backend, Capabilities, Conversion, Effective, Operator, Placement, Session, parameters
from bench.base.errors import Unsupported
from bench.plan.parameter import Parameter

class S(Session):
    def __init__(self, artifact):
        self._y = [np.array(y) for y in artifact.reference()[1]]
    def infer(self): time.sleep(1e-4)
    def outputs(self): return self._y
    def effective(self): return Effective("1", "cpu", "fp32", None, Placement.only("cpu"))
    def close(self): pass
"""
# A class that works, for tests that break one thing of it.
WORKS = """
class P(Backend):
    name, title = NAME, "a plug-in"
    def load(self, artifact, settings, options): return S(artifact)
"""


class Plugins:
    """A folder on the path of this process and of those that it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, source: str, package: str = "") -> None:
        """Install a backend: `source` comes after `HEAD`, and defines the class P."""
        package = package or f"plug-{name}"
        module = f"plugin_{package.replace('-', '_')}"
        (self.folder / f"{module}.py").write_text(f"NAME = {name!r}\n{HEAD}\n{source}", "utf-8")
        info = self.folder / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[bench.backends]\n{name} = {module}:P\n", "utf-8")
        forget()


def forget() -> None:
    """Let the registry look anew."""
    backends.names.cache_clear()
    backends._load.cache_clear()


@pytest.fixture
def plugins(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """Somewhere to install plug-ins for one test."""
    folder = tmp_path_factory.mktemp("plugins")
    monkeypatch.syspath_prepend(folder)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    yield Plugins(folder)
    import sys

    for name in [name for name in sys.modules if name.startswith("plugin_")]:
        del sys.modules[name]
    monkeypatch.undo()
    forget()
