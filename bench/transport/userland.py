"""Brings a userland to a phone: a folder with a Python of its own, which Android has not. Sent once, by its hash."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

from bench.base.errors import Unreachable, UsageError, clip
from bench.base.words import last_line
from bench.transport.shell import Shell

PYTHON = "bin/python3"
ASK_S, SEND_S = 60.0, 1800.0
# A draft beside it and one rename: what is there works, also when the cable comes off meanwhile.
UNPACK = """
set -e
mkdir -p "$1"; cd "$1"; rm -rf userland.part; mkdir userland.part
tar -xf - -C userland.part
rm -rf userland venv; mv userland.part userland
printf %s "$2" > userland.sha256
"""


def bring(shell: Shell, folder: str, scratch: Path, tell: Callable[[str], None]) -> str:
    """Make the target's userland be there, and return its interpreter there.

    Raises:
        UsageError: what the target names is no userland.
        Unreachable: it cannot be sent; what was there before stays.
    """
    target = shell.target
    packed = _packed(Path(target.userland).expanduser(), scratch)
    digest = _digest(packed)
    _, there, _ = shell.run('cat "$1/userland.sha256" 2>/dev/null; exit 0', folder, timeout_s=ASK_S)
    if there.strip() != digest:
        tell(f"{target.name}: sending the userland, {packed.stat().st_size / 2**20:.0f} MiB")
        with packed.open("rb") as data:
            code, _, why = shell.run(UNPACK, folder, digest, data=data, timeout_s=SEND_S)
        if code:
            hint = "make room on the phone" if "space" in why.lower() else "is the folder writable there?"
            raise Unreachable(
                f"{target.name}: the userland cannot be unpacked there: {clip(last_line(why), 160)}", hint
            )
    else:
        tell(f"{target.name}: the userland is there")
    return f"{folder}/userland/{PYTHON}"


def _packed(source: Path, scratch: Path) -> Path:
    """Return the userland as a tar: as it is, or made of a folder; UsageError where it has no interpreter."""
    hint = f"a folder, or a tar of one, in which {PYTHON} runs on the phone: docs/targets.md says how to make one"
    if source.is_dir():
        if not (source / PYTHON).exists():
            raise UsageError(f"`userland` {source} has no {PYTHON}", hint)
        packed = scratch / "userland.tar"
        with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(source.rglob("*")):
                archive.add(path, str(path.relative_to(source)), recursive=False, filter=_plain)
        return packed
    try:
        with tarfile.open(source, "r:") as archive:  # not compressed: the phone's tar may know no other
            names = {name.removeprefix("./") for name in archive.getnames()}
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"`userland` {source} cannot be read: {error}", hint) from error
    if PYTHON not in names:
        raise UsageError(f"`userland` {source} has no {PYTHON}", hint)
    return source


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose it is and when it was made: equal folders make equal tars."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
