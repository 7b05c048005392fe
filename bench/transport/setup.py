"""Installs `bench` on a device behind ssh or adb: a virtual environment of its own, over the network or from wheels."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.base.errors import Unreachable, UsageError, clip
from bench.base.words import lines_of
from bench.plan.target import Target
from bench.transport import adb, ssh, userland, wheel
from bench.transport.shell import Shell
from bench.transport.shell import folder as folder_of

QUICK_S, INSTALL_S = 60.0, 1800.0
# From a shell there to the absolute path of a folder that may begin with ~/ (which quoting keeps from the shell).
HOME = 'case $1 in "~/"*) folder=$HOME/${1#"~/"};; *) folder=$1;; esac; shift; '
INTERPRETERS = "python3.14 python3.13 python3.12 python3.11 python3"
# What a wheel for this interpreter may be called; pip brings the library that knows.
TAGS = """
import json, sys
from pip._vendor.packaging.tags import sys_tags
found = list(dict.fromkeys(tag.platform for tag in sys_tags() if tag.platform != "any"))
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "platforms": found}))
"""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """What to install and from where.

    `python` is the interpreter there to begin with; empty finds one. With `offline` nothing there uses the network:
    wheels are downloaded here, or taken from the folder `wheels`, and uploaded. `extras` of this program are
    installed, too.
    """

    python: str = ""
    offline: bool = False
    wheels: Path | None = None
    extras: tuple[str, ...] = ()


def install(target: Target, setup: Setup, tell: Tell) -> None:
    """Make the virtual environment there if there is none, and install this very version with its core dependencies.

    May be repeated: what is there is kept, and made new where it is old.

    Raises:
        UsageError: the target is not for this.
        Unreachable: a step fails; nothing that worked before is removed.
    """
    ways: dict[str, Callable[[Target], AbstractContextManager[Shell]]] = {"ssh": ssh.connected, "adb": adb.connected}
    if target.reach not in ways:
        raise UsageError(f"{target.name} is reached by {target.reach}", "only targets behind ssh or adb are set up")
    if target.python:
        raise UsageError(
            f"{target.name} names its own python: {clip(target.python)}",
            "install the same version of isoflops there, or take `python` out of the target",
        )
    offline = setup.offline or target.reach == "adb"  # a userland on a phone knows of no name server
    with ways[target.reach](target) as shell, tempfile.TemporaryDirectory(prefix="bench-setup-") as scratch:
        folder = folder_of(target)
        brought = userland.bring(shell, folder, Path(scratch), tell) if target.userland else ""
        python, version = _interpreter(shell, setup.python or brought)
        tell(f"{target.name}: {python} is Python {version}")
        where, fresh = _environment(shell, folder, python)
        tell(f"{target.name}: {'made' if fresh else 'found'} the virtual environment {where}/venv")
        ours = wheel.write(Path(scratch))
        extras = list(setup.extras)
        wanted = f"{where}/wheels/{ours.name}" + (f"[{','.join(extras)}]" if extras else "")
        source: list[str] = []
        uploaded = [ours]
        if offline or setup.wheels is not None:
            source = ["--no-index", "--find-links", f"{where}/wheels"]
            found = setup.wheels or _download(shell, where, ours, extras, Path(scratch), tell)
            uploaded += sorted(p for p in found.glob("*.whl") if not p.name.startswith(f"{wheel.NAME}-"))
        sent = _upload(shell, where, uploaded)
        python = f"{where}/venv/bin/python"
        same = _program(shell, python) == wheel.program()
        tell(f"{target.name}: uploaded {sent} of {len(uploaded)} wheels; the others are there")
        # Bytecode of all that is never imported would be a fifth more to store; Python writes that of the rest.
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
        # First ours by force, unless it is this very program: two builds may have one version. Then what it needs.
        by_force = [*pip, "--no-deps", "--force-reinstall", *source, f"{where}/wheels/{ours.name}"]
        for step in ([] if same else [by_force]) + [[*pip, *source, wanted]]:
            _check(shell, step, "pip cannot install it there", _advice(setup, offline))
        if _program(shell, python) != wheel.program():
            raise Unreachable(
                f"{target.name}: what was installed there is another program than this one",
                f"remove {where}/venv there, and run it again",
            )
        tell(f"{target.name}: installed {ours.name.split('-py3')[0]}{' with ' + ', '.join(extras) if extras else ''}")


def _interpreter(shell: Shell, python: str) -> tuple[str, str]:
    script = 'for p in "$@"; do v=$("$p" -c "import sys; print(\'%d.%d\' % sys.version_info[:2])" 2>/dev/null) && '
    script += 'echo "$p $v"; done; exit 0'
    _, said, _ = shell.run(script, *([python] if python else INTERPRETERS.split()), timeout_s=QUICK_S)
    found = [line.rpartition(" ")[::2] for line in said.splitlines() if " " in line]
    usable = [(name, version) for name, version in found if tuple(map(int, version.split("."))) >= (3, 11)]
    if not usable:
        seen = ", ".join(f"{name} is {version}" for name, version in found) or f"no {python or 'python3'}"
        raise Unreachable(
            f"{shell.target.name} has no Python from 3.11 on ({seen})",
            "install one, or name it by --python PATH; to a phone, `userland` of the target brings one",
        )
    return usable[0]


def _environment(shell: Shell, folder: str, python: str) -> tuple[str, bool]:
    """Make the environment unless it is there and works; return the absolute folder and whether it is new."""
    script = HOME + (
        'mkdir -p "$folder/wheels" && cd "$folder" && pwd && '
        '{ venv/bin/python -m pip --version >/dev/null 2>&1 && echo found || "$1" -m venv --clear venv >&2; }'
    )
    code, said, why = shell.run(script, folder, python, timeout_s=600.0)
    if code:
        hint = "on Debian: apt-get install python3-venv" if "ensurepip" in said + why else "is the disk full?"
        raise Unreachable(f"{shell.target.name}: no virtual environment can be made: {_last(why)}", hint)
    lines = said.split("\n")
    return lines[0], "found" not in lines


def _download(shell: Shell, where: str, ours: Path, extras: Sequence[str], scratch: Path, tell: Tell) -> Path:
    """Fetch here, for the platform there, every wheel that ours needs."""
    said = _check(shell, [f"{where}/venv/bin/python", "-c", TAGS], "its platform cannot be told", "is pip there?")
    there = json.loads(said)
    folder = scratch / "wheels"
    # pip takes a platform by its word: a wheel for an older C library is found only if that is named, too.
    platforms = [f"--platform={name}" for name in there["platforms"]]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--dest", str(folder)]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={there['version']}", *platforms]
    tell(f"{shell.target.name}: downloading wheels for {there['platforms'][0]}, Python {there['version']}")
    wanted = f"{ours}[{','.join(extras)}]" if extras else str(ours)
    done = subprocess.run([*command, wanted], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Unreachable(f"the wheels cannot be downloaded here: {_last(done.stderr)}", "--wheels FOLDER takes yours")
    return folder


def _upload(shell: Shell, where: str, wheels: Sequence[Path]) -> int:
    """Copy the wheels that are not there yet, each whole or not at all; return how many that were."""
    _, said, _ = shell.run('cd "$1" && sha256sum *.whl 2>/dev/null; exit 0', f"{where}/wheels", timeout_s=QUICK_S)
    there = {line.partition("  ")[2]: line.split(" ")[0] for line in said.splitlines()}
    sent = 0
    for path in wheels:
        data = path.read_bytes()
        if there.get(path.name) == hashlib.sha256(data).hexdigest():
            continue
        script = 'cd "$1" && cat >".$2.part" && mv ".$2.part" "$2"'
        code, _, why = shell.run(script, f"{where}/wheels", path.name, data=data, timeout_s=INSTALL_S)
        if code:
            raise Unreachable(f"{shell.target.name}: {path.name} cannot be written: {_last(why)}", "is the disk full?")
        sent += 1
    return sent


def _program(shell: Shell, python: str) -> str:
    """Return the digest of the program that is installed there, empty where none is that can tell."""
    ask = "from bench.transport.wheel import program; print(program())"
    code, said, _ = shell.run('"$@"', python, "-P", "-c", ask, timeout_s=QUICK_S)
    return said.split()[-1] if code == 0 and said.split() else ""


def _check(shell: Shell, command: Sequence[str], failed: str, hint: str) -> str:
    code, said, why = shell.run('"$@"', *command, timeout_s=INSTALL_S)
    if code:
        raise Unreachable(f"{shell.target.name}: {failed}: {_last(why)}", hint)
    return said


def _advice(setup: Setup, offline: bool) -> str:
    if setup.wheels is not None:
        return "the folder lacks a wheel for that platform: `pip download` for it, or --offline"
    return "run it again" if offline else "no network there? --offline uploads the wheels"


def _last(said: str) -> str:
    lines = lines_of(said)
    errors = [line for line in lines if line.startswith("ERROR")]
    return clip((errors or lines or ["nothing was said"])[-1], 200)
