"""Another version of a runtime beside the one that is installed: ``onnxruntime:version=1.22.1``.

It gets a virtual environment of its own, made once and kept in the cache, in which only the runtime's wheel is
installed; everything else, `bench` included, is the running interpreter's. That environment's interpreter then runs the
workers of the case, as ``python=`` would. Wheels come from where pip gets them, or from the folder that ``--wheels`` or
``ISOFLOPS_WHEELS`` names, without the network. Nothing is ever built from sources.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from bench import backends
from bench.artifact import store
from bench.base import cache, child
from bench.base.errors import Unsupported, UsageError, clip
from bench.base.wire import Unchecked
from bench.base.words import lines_of
from bench.plan.case import BackendRef

WHEELS = "ISOFLOPS_WHEELS"
INSTALL_S, IMPORT_S = 1800.0, 120.0
BORROWED = "zz_borrowed.pth"  # read last: what is installed in the environment itself comes first
SHOWN = 5  # of the versions that there are
OFFERED = re.compile(r"\(from versions: ([^)]*)\)")


def ensure(ref: BackendRef, told: Callable[[str], None] = lambda line: None) -> BackendRef:
    """Return the backend with the interpreter that has the version it asks for, made now if it is not there yet.

    One that asks for no version comes back as it is. `told` hears a line before anything is installed. Safe to call
    from many processes at once: one installs, the others wait.

    Raises:
        Unsupported: there is no wheel of that version for this interpreter, or it cannot be imported here.
        UsageError: the folder of wheels is not there.
    """
    if not ref.version:
        return ref
    package, wheels = backends.get(ref.name).wheel, _wheels()
    final = cache.folder(store.RUNTIMES) / _key(package, ref.version, wheels)
    python = final / "bin" / "python"
    if not python.exists():
        with cache.locked(cache.lock_of(final)):
            if not python.exists():  # another process may have made it while this one waited
                shutil.rmtree(final, ignore_errors=True)  # its base interpreter is gone
                told(f"installing {package} {ref.version} in an environment of its own, once")
                with cache.whole_folder(final) as draft:
                    _make(ref, package, wheels, draft)
                store.hold(final)  # before others make room for it
                store.enforce()
    store.hold(final)
    return replace(ref, python=str(python))


def same(asked: str, told: str) -> bool:
    """Tell whether what a runtime says of its version is the one that was asked for: 1.22 is 1.22.0, and 2.9.0+cpu."""
    return _plain(asked) == _plain(told)


def _plain(version: str) -> tuple[str, ...]:
    parts = re.split(r"[+-]", version.strip().lower())[0].split(".")
    while parts and parts[-1] == "0":
        parts.pop()
    return tuple(parts)


def _wheels() -> Path | None:
    """Return the folder of wheels that the person named, if any."""
    text = os.environ.get(WHEELS, "")
    if not text:
        return None
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"there is no folder of wheels {clip(text)}", f"--wheels and {WHEELS} name one")
    return folder


def _key(package: str, version: str, wheels: Path | None) -> str:
    """Hash what decides the environment: the wheel, and the interpreter that it borrows from."""
    name = re.sub(r"[-_.]+", "_", package).lower()
    found = sorted(wheels.glob("*.whl")) if wheels else []
    files = [path for path in found if path.name.lower().startswith(f"{name}-{version}-")]
    made_from = {
        "package": [package, version],
        "files": [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files],
        "interpreter": [sys.version, sys.prefix, sys.base_prefix],
    }
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]
    return f"{name}-{version}-{digest}"


def _make(ref: BackendRef, package: str, wheels: Path | None, draft: Path) -> None:
    request = {"package": package, "version": ref.version, "wheels": str(wheels or ""), "folder": str(draft)}
    _ask("install", request, INSTALL_S, f"{package} {ref.version}", "cannot be installed")
    python = str(draft / "bin" / "python")
    _ask("try_import", {"backend": ref.name}, IMPORT_S, f"{package} {ref.version}", "cannot be used here", python)


def _ask(function: str, request: object, timeout_s: float, what: str, failed: str, python: str = "") -> None:
    try:
        child.ask(f"{__name__}:{function}", request, timeout_s, python)
    except child.ChildFailed as error:
        log = RuntimeError(error.log)
        if error.told:
            raise error.told from log
        raise Unsupported(
            f"{what} {failed}: {error.message}", "another version may work; python= names an interpreter that has it"
        ) from log


def install(request: Unchecked) -> None:
    """Make the environment and install the wheel, in the child.

    Raises:
        Unsupported: there is no such wheel, or nothing that installs one.
    """
    import venv

    package, version, wheels, folder = (request[name] for name in ("package", "version", "wheels", "folder"))
    if find_spec("pip") is None:
        raise Unsupported(
            f"{package} {version} cannot be installed: this interpreter has no pip", "python -m ensurepip brings it"
        )
    venv.EnvBuilder(symlinks=True).create(folder)
    here = Path(sysconfig.get_path("purelib", "venv", {"base": folder, "platbase": folder}))
    # As `site` itself would: what these folders' own .pth files say counts, too, an editable installation among it.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in borrowed()]
    (here / BORROWED).write_text("".join(lines), "utf-8")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--no-compile", "--target", str(here)]
    command += ["--no-index", f"--find-links={wheels}"] if wheels else []
    done = subprocess.run(
        [*command, f"{package}=={version}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr, file=sys.stderr)  # --debug shows it
    if done.returncode:
        raise _refusal(package, version, wheels, done.stderr)


def borrowed() -> list[str]:
    """Return the folders of this interpreter in which packages are."""
    found = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return [path for path in dict.fromkeys(found) if Path(path).is_dir()]


def _refusal(package: str, version: str, wheels: str, said: str) -> Unsupported:
    """Say why pip did not install it: no such version, no wheel for this interpreter, or something else."""
    what = f"{package} {version}"
    offered = OFFERED.search(said)
    if offered is None and "No matching distribution" not in said:
        lines = lines_of(said) or ["it said nothing"]
        why = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
        return Unsupported(
            f"{what} cannot be installed: {clip(why.removeprefix('ERROR: '), 200)}",
            f"without a network --wheels FOLDER (or {WHEELS}) takes it from a folder",
        )
    python = f"CPython {sys.version_info.major}.{sys.version_info.minor} on {sysconfig.get_platform()}"
    where = f"in {clip(wheels)}" if wheels else "where pip looks"
    known = [] if offered is None else [v for v in offered[1].split(", ") if v and v != "none"]
    minor = version.split(".")[:2]
    close = [v for v in known if v.split(".")[:2] == minor]
    newest = ", ".join(reversed((close or known)[-SHOWN:]))  # pip names the newest last
    hint = f"of {'.'.join(minor)} there are" if close else "the newest are"
    hint = f"{hint} {newest} (newest first)" if known else "`pip index versions` or the folder says what is there"
    return Unsupported(f"there is no wheel of {what} for {python} {where}", hint)


def try_import(request: Unchecked) -> None:
    """Import the runtime, in the environment's own interpreter."""
    backend = backends.get(request["backend"])
    try:
        backend.import_runtime()
    except Exception as error:  # a library that does not fit raises anything
        found = backend.versions().get(backend.wheel, "")
        raise Unsupported(
            f"{backend.wheel} {found} cannot be imported here: {type(error).__name__}: {clip(str(error), 200)}",
            "it may need other versions of what it stands on; python= names an interpreter that has them",
        ) from error
