"""An `adb` that plays a phone on this machine: its shell is a shell here, and it fails as the real one does.

What it says on stderr is what platform-tools 35 says. A file beside it tells what is wrong just now.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.plan.target import Target

ADB = """#!{python} -S
import os, signal, subprocess, sys
folder = {folder!r}
words = sys.argv[1:]
with open(os.path.join(folder, "adb.log"), "a") as log:
    log.write(repr(words) + "\\n")

def wrong():
    try:
        with open(os.path.join(folder, "wrong")) as file:
            return file.read()
    except OSError:
        return ""

def leave(said):
    sys.stderr.write(said + "\\n")
    sys.exit(1)

FAULTS = {{
    "unauthorized": "error: device unauthorized.\\nThis adb server's $ADB_VENDOR_KEYS is not set\\n"
                    "Try 'adb kill-server' if that seems wrong.",
    "offline": "error: device offline",
    "several": "error: more than one device/emulator",
    "unplugged": "adb: no devices/emulators found",
    "permissions": "error: insufficient permissions for device: user in plugdev group; are your udev rules wrong?",
    "daemon": "* failed to start daemon\\nerror: cannot connect to daemon",
    "old": "error: target doesn't support PTY args -Tt",
}}
serial = ""
if words[:1] == ["-s"]:
    serial, words = words[1], words[2:]
if words[:1] != ["shell"] or words[1:2] != ["-T"] or len(words) != 3:
    leave("adb: usage: unknown command")
fault = wrong()
if fault == "several" and serial:
    fault = ""
if serial not in ("", "PHONE1"):
    leave("error: device '" + serial + "' not found")
if fault in FAULTS:
    leave(FAULTS[fault])
env = dict(os.environ, TMPDIR="/nowhere")
env.pop("HOME", None)
if fault == "full":  # a shell whose files may not grow
    words[2] = "ulimit -f 8; trap '' XFSZ; " + words[2]
inner = subprocess.Popen(["sh", "-c", words[2]], env=env, start_new_session=True)
with open(os.path.join(folder, "shells"), "a") as file:
    file.write("%d %d\\n" % (os.getpid(), inner.pid))
code = inner.wait()
sys.stdout.flush()
sys.exit(code if code >= 0 else 128 - code)
"""


@dataclass
class Phone:
    """A played phone; `folder` holds its adb, and `there` is where setup installs."""

    folder: Path

    @property
    def there(self) -> Path:
        return self.folder / "data"

    def target(self, **keys: object) -> Target:
        given: dict[str, object] = {"python": sys.executable, "folder": str(self.there)} | keys
        return Target("phone", "adb", **given)  # type: ignore[arg-type]

    def file(self, **keys: object) -> Path:
        path = self.folder / "phone.toml"
        given = {"name": "phone", "reach": "adb", "python": sys.executable, "folder": str(self.there)} | keys
        path.write_text("".join(f'{key} = "{value}"\n' for key, value in given.items()))
        return path

    def wrong(self, what: str = "") -> None:
        (self.folder / "wrong").write_text(what)

    def unplug(self) -> int:
        """Take the cable off: adb here and the shell there end, and nobody is told. Return how many there were."""
        self.wrong("unplugged")
        return self.cut()

    def cut(self) -> int:
        """End every adb that runs, as a loose contact does; return how many that were."""
        shells = self.folder / "shells"
        lines = shells.read_text().splitlines() if shells.exists() else []
        shells.write_text("")
        ended = 0
        for line in lines:
            adb, inner = map(int, line.split())
            for number, group in ((adb, False), (inner, True)):
                try:
                    (os.killpg if group else os.kill)(number, signal.SIGKILL)
                    ended += not group
                except ProcessLookupError:
                    continue
        return ended

    def asked(self) -> list[str]:
        return (self.folder / "adb.log").read_text().splitlines()


def install(folder: Path) -> Phone:
    """Write the program that plays it into `folder`, which has to stand first on PATH."""
    folder.mkdir(exist_ok=True)
    script = folder / "adb"
    script.write_text(ADB.format(python=sys.executable, folder=str(folder)))
    script.chmod(0o755)
    phone = Phone(folder)
    phone.there.mkdir(exist_ok=True)
    return phone
