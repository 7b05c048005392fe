"""What a bare machine needs before anything can run on it, without root and without a package registry.

The program itself is staged from the working tree, with its entry points; packages that are missing are installed from
a folder of wheels beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.gpu.steps import REPOSITORY

# What is imported on the way, and the distribution that it comes from; torch is to be there, with CUDA.
NEEDED = {
    "archspec": "archspec", "click": "click", "hypothesis": "hypothesis", "msgspec": "msgspec", "numpy": "numpy",
    "onnx": "onnx", "onnxruntime": "onnxruntime", "onnxscript": "onnxscript", "pandas": "pandas",
    "platformdirs": "platformdirs", "psutil": "psutil", "pytest": "pytest", "rich": "rich", "scipy": "scipy",
}  # fmt: skip
# Without it rows lack clocks, throttling and energy.
WANTED = {"pynvml": "nvidia-ml-py"}
TORCH = "import torch; print(torch.__version__, torch.version.cuda or '', torch.cuda.is_available(), sep='|')"


class Missing(Exception):
    """Something that a person must bring; the text is one line."""


@dataclass(frozen=True)
class Setting:
    """Where things are kept: `output` is the result, `work` may be deleted."""

    output: Path

    @property
    def work(self) -> Path:
        """The folder of what is no result: the staged program, packages, exported models."""
        return self.output.with_name(f"{self.output.name}.work")

    def environment(self) -> dict[str, str]:
        """Return the environment of every step."""
        paths = [self.work / "program", self.work / "packages", REPOSITORY]
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return kept | {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONPYCACHEPREFIX": str(self.work / "pycache"),
            "ISOFLOPS_CACHE": str(self.work / "cache"),
        }

    def stage(self) -> None:
        """Lay the program out as it is installed: `bench.models` and `bench.targets` stand elsewhere in the tree."""
        program = self.work / "program"
        package = program / "bench"
        package.mkdir(parents=True, exist_ok=True)
        told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
        places = {name: REPOSITORY / "bench" / name for name in os.listdir(REPOSITORY / "bench")}
        for dotted, folder in told["tool"]["setuptools"]["package-dir"].items():
            if dotted != "bench":
                places[dotted.removeprefix("bench.")] = REPOSITORY / folder
        for name, place in places.items():
            link = package / name
            if name != "__pycache__" and not link.is_symlink():
                link.symlink_to(place)
        project, version = told["project"], told["tool"]["setuptools_scm"]["fallback_version"]
        info = program / f"{project['name']}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
        (info / "METADATA").write_text(head, "utf-8")
        points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["bench.backends"].items())
        (info / "entry_points.txt").write_text(f"[bench.backends]\n{points}", "utf-8")

    def lacking(self, of: dict[str, str]) -> list[str]:
        """Return the distributions of which a module is not there."""
        packages = self.work / "packages"
        return [name for module, name in of.items() if find_spec(module) is None and not _in(packages, module)]

    def install(self, names: Sequence[str], wheels: Path) -> None:
        """Install distributions, and what they need and the interpreter lacks, from a folder of wheels.

        Raises:
            Missing: pip is not there, or the folder does not have them.
        """
        source = ("--no-index", "--find-links", str(wheels.resolve()))
        plan = _pip("install", "--dry-run", "--quiet", *source, "--report", "-", *names)
        told = [one["metadata"] for one in json.loads(plan)["install"]]
        exact = [f"{one['name']}=={one['version']}" for one in told]
        _pip("install", "--quiet", *source, "--no-deps", "--target", str(self.work / "packages"), *exact)


def _in(folder: Path, module: str) -> bool:
    return (folder / module).exists() or (folder / f"{module}.py").exists()


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it says nothing"]
        raise Missing(f"pip cannot install from the wheels: {said[-1]}")
    return done.stdout


def require_device() -> str:
    """Return the torch that runs on the device.

    Raises:
        Missing: the system, a driver, a device or a torch with CUDA.
    """
    from bench.base.errors import BenchError
    from bench.machine.gpu import find

    if sys.platform != "linux":
        raise Missing(f"this needs Linux with an NVIDIA driver; this is {sys.platform}")
    try:
        device = find(0)
    except BenchError as error:
        raise Missing(f"{error.message} ({error.hint})") from error
    done = subprocess.run([sys.executable, "-P", "-c", TORCH], capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"{sys.executable} has no torch: install one with CUDA, the way pytorch.org tells")
    version, cuda, there = done.stdout.strip().splitlines()[-1].split("|")
    if there != "True":
        built = f"built for CUDA {cuda}" if cuda else "built without CUDA"
        raise Missing(f"torch {version}, {built}, cannot use {device.name}: install one for this driver")
    return version


def require_packages(setting: Setting, wheels: Path | None) -> list[str]:
    """Bring the packages that are missing; return those that are only wanted and not there.

    Raises:
        Missing: a package that is needed, and where it may come from.
    """
    needed, wanted = setting.lacking(NEEDED), setting.lacking(WANTED)
    if wheels is not None:
        there = [name for name in wanted if list(wheels.glob(f"{name.replace('-', '_')}-*.whl"))]
        if needed or there:
            setting.install([*needed, *there], wheels)
        needed, wanted = setting.lacking(NEEDED), setting.lacking(WANTED)
    if needed:
        source = f"not in {wheels}" if wheels else "pip install them, or give WHEELS=folder with their wheels"
        raise Missing(f"packages are missing: {' '.join(needed)} ({source})")
    return wanted
