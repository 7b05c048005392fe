"""To an Android phone over USB or Wi-Fi: Android's own debug bridge, `adb`, runs the agent in the phone's shell.

Bytes go through `adb shell -T`, which every Android from 7 on has. The phone brings no Python: `bench targets setup`
pushes a userland that the target names, a folder that holds one, and installs this program into it.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from collections.abc import Iterator, Sequence

from bench.base.errors import Unreachable, clip
from bench.base.words import last_line
from bench.plan.target import Target
from bench.transport.shell import Shell, ShellTransport

# What adb says, what that means, and what to do. The first that is found counts.
CAUSES = (
    (
        ("device unauthorized", "device still authorizing"),
        "the phone does not trust this computer yet",
        "unlock it and allow USB debugging; without a dialog: {adb} kill-server, and plug it in again",
    ),
    (("device offline",), "the phone is offline for adb", "plug it out and in again, or: {adb} reconnect"),
    (
        ("more than one device",),
        "several devices are plugged in",
        "name one: `serial` of the target; {adb} devices -l lists them",
    ),
    (
        ("insufficient permissions", "no permissions"),
        "this user may not talk to the phone over USB",
        "add udev's rules for Android (apt-get install android-sdk-platform-tools-common), and plug it in again",
    ),
    (
        ("no devices/emulators found", "' not found", "device not found", "no devices found"),
        "there is no such phone",
        "is it plugged in, with USB debugging on? {adb} devices -l lists those that are seen",
    ),
    (
        ("cannot connect to daemon", "failed to start daemon", "failed to check server version"),
        "adb's server does not start: {last}",
        "try {adb} start-server",
    ),
    (("PTY args", "shell v2"), "the phone is too old: `adb shell -T` needs Android 7", "take a newer one"),
    (("error: closed", "connection reset", "protocol fault"), "the phone went away: {last}", "plug it in again"),
)
OURS = ("adb: ", "error: ", "- waiting for device")  # how lines of adb's own begin


class Adb(Shell):
    """Commands on one phone."""

    def command(self, there: Sequence[str]) -> list[str]:
        """Return adb's command line; the words become one text for the shell there, quoted."""
        executable = shutil.which(self.target.adb or "adb")
        if executable is None:
            hint = "apt-get install adb, or unpack Android's platform-tools and name it: `adb` of the target"
            raise Unreachable(f"there is no {self.target.adb or 'adb'} on this machine", hint)
        return [executable, *serial(self.target), "shell", "-T", shlex.join(there)]

    def unreached(self, code: int | None, said: str) -> bool:
        """Tell adb's own failures by how its lines begin: it has no exit code of its own."""
        lines = [line.strip() for line in said.splitlines()]
        return code != 0 and any(line.startswith(OURS) for line in lines)

    def why(self, said: str) -> Unreachable:
        """Say in one line why adb reaches nothing."""
        adb = shlex.join([self.target.adb or "adb", *serial(self.target)])
        known = {"adb": adb, "last": clip(last_line(said), 160)}
        for signs, message, hint in CAUSES:
            if any(sign in said for sign in signs):
                return Unreachable(f"{self.target.name}: {message.format(**known)}", hint.format(**known))
        return Unreachable(f"{self.target.name}: adb says: {known['last'] or 'nothing'}", f"try {adb} shell true")


class AdbTransport(ShellTransport):
    """A phone behind adb."""

    def open(self) -> Adb:
        """Return the shell there."""
        return Adb(self.target)


def serial(target: Target) -> list[str]:
    """Return the words that choose the phone; none where there is but one."""
    return ["-s", target.serial] if target.serial else []


@contextlib.contextmanager
def connected(target: Target) -> Iterator[Adb]:
    """Yield the shell of a phone that answers.

    Raises:
        Unreachable: it does not.
    """
    adb = Adb(target)
    adb.run("true", timeout_s=60.0)
    yield adb
