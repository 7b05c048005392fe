"""This very program as a wheel, made of the files that run: what is set up on a device is what is here.

Works for an installed program and for a working tree, needs no build tool and no network. A wheel is a zip of packages
and a folder that describes them (the binary distribution format of PyPA's specifications).
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from functools import cache
from importlib.metadata import distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from bench import __version__

NAME = "isoflops"
# `bench.models` and `bench.targets` lie elsewhere in a working tree than in an installed program.
PACKAGES = ("bench", "bench.models", "bench.targets")
WHEEL = "Wheel-Version: 1.0\nGenerator: isoflops\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write(folder: Path) -> Path:
    """Write the wheel into `folder` and return its path."""
    content: dict[str, bytes] = {}
    for package in PACKAGES:
        _collect(files(package), package.replace(".", "/"), content)
    described = distribution(NAME)
    info = f"{NAME}-{__version__}.dist-info"
    metadata = described.read_text("METADATA") or described.read_text("PKG-INFO") or ""
    content[f"{info}/METADATA"] = metadata.encode()
    content[f"{info}/WHEEL"] = WHEEL.encode()
    content[f"{info}/entry_points.txt"] = (described.read_text("entry_points.txt") or "").encode()
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items())
    content[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    path = folder / f"{NAME}-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            # A fixed time: equal programs make equal wheels.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return path


@cache
def program() -> str:
    """Return the digest of the program that runs here: of its Python files, and of the zoo's cards.

    Two builds of one version differ in it; a wheel, a working tree and what `bench targets setup` installed of one
    program do not.
    """
    content: dict[str, bytes] = {}
    for package in PACKAGES[:2]:
        _collect(files(package), package.replace(".", "/"), content)
    digest = hashlib.sha256()
    for name in sorted(content):
        # Installed, `bench.targets` lies inside; what targets a machine knows of changes nothing that it measures.
        if name.endswith((".py", ".toml")) and not name.startswith(("bench/targets/", "bench/suites/")):
            digest.update(f"{name}\0{hashlib.sha256(content[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def _collect(folder: Traversable, at: str, content: dict[str, bytes]) -> None:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        name = f"{at}/{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                _collect(entry, name, content)
        elif not entry.name.endswith(".pyc"):
            content[name] = entry.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
