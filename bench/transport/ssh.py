"""Over ssh: the person's own OpenSSH client, with their configuration, keys, agents and known hosts.

Nothing is asked for (`BatchMode`), so a run never hangs at a password, and host keys are checked as ssh always does.
Commands of one transport share a connection of ssh's. A cut link is noticed within eight seconds: one that is mended
sooner costs nothing, because TCP sends again what was lost.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.base.errors import Unreachable, clip
from bench.base.words import last_line
from bench.plan.target import Target
from bench.transport.shell import Shell, ShellTransport

CONNECT_S = 10
ALIVE_INTERVAL_S, ALIVE_COUNT = 2, 3

# What ssh says, what that means, and what to do. The first that is found counts.
CAUSES = (
    ("Could not resolve hostname", "there is no host {host}", "check `host` of the target, or Host in ~/.ssh/config"),
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host key of {host} has changed: it was installed anew, or it is not the machine that it was",
        "find out which; if it was installed anew: ssh-keygen -R {host}",
    ),
    (
        "Host key verification failed",
        "the host key of {host} is not known yet",
        "connect once by hand and compare the fingerprint: {ssh}",
    ),
    (
        "Permission denied",
        "{host} refuses the key",
        "no password is ever asked for: ssh-copy-id, or `user` and `identity_file` of the target; try {ssh}",
    ),
    ("Too many authentication failures", "{host} refuses the keys", "name one: `identity_file` of the target"),
    ("Connection refused", "{host} refuses the connection", "is sshd running there, on that `port`? try {ssh}"),
    ("timed out", "{host} does not answer", "is it on, and on the network? try {ssh}"),
    ("No route to host", "there is no way to {host}", "is it on, and on the network? try {ssh}"),
    ("Network is unreachable", "there is no way to {host}", "is this machine on the network?"),
    ("Bad configuration option", "ssh does not understand its configuration: {last}", "correct it, or `config`"),
    ("Bad owner or permissions", "ssh refuses its configuration: {last}", "chmod 600 that file"),
    ("Can't open user config file", "ssh cannot read `config` of the target", "check the path"),
)


class Ssh(Shell):
    """Commands on one host, over one connection that the first of them makes."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        # Short, because the path of a socket ends at 104 characters; private, because who can open it is logged in.
        self._folder = tempfile.mkdtemp(prefix="bench-", dir="/tmp" if Path("/tmp").is_dir() else None)
        self._own = [*_options(target), "-o", f"ControlPath={self._folder}/c"]

    def command(self, there: Sequence[str]) -> list[str]:
        """Return the command line that runs `there` on the host, every word quoted for the shell there."""
        executable = shutil.which("ssh")
        if executable is None:
            raise Unreachable("there is no ssh on this machine", "apt-get install openssh-client")
        # `--` ends the options: a host that begins with a dash is no option.
        return [executable, *self._own, "--", self.target.host, remote_line(there)]

    def unreached(self, code: int | None, said: str) -> bool:
        """Tell ssh's own failures, by its exit code."""
        return code == 255

    def why(self, said: str) -> Unreachable:
        """Say in one line why ssh could not connect."""
        return why(self.target, said)

    def close(self) -> None:
        """Forget the connection."""
        shutil.rmtree(self._folder, ignore_errors=True)


class SshTransport(ShellTransport):
    """A device behind ssh."""

    def open(self) -> Ssh:
        """Return the shell there."""
        return Ssh(self.target)


def remote_line(words: Sequence[str]) -> str:
    """Join words into the one text that ssh hands to the login shell there, quoted so that it is what arrives."""
    return shlex.join(words)


def why(target: Target, said: str) -> Unreachable:
    """Say in one line why ssh could not connect."""
    by_hand = ["ssh"]
    by_hand += ["-F", target.config] if target.config else []
    by_hand += ["-p", str(target.port)] if target.port else []
    by_hand += ["-i", target.identity_file] if target.identity_file else []
    by_hand += [f"{target.user}@{target.host}" if target.user else target.host]
    known = {"host": clip(target.host), "ssh": shlex.join(by_hand), "last": clip(last_line(said), 160)}
    for sign, message, hint in CAUSES:
        if sign in said:
            return Unreachable(f"{target.name}: {message.format(**known)}", hint.format(**known))
    return Unreachable(f"{target.name}: ssh says: {known['last'] or 'nothing'}", f"try {known['ssh']}")


def _options(target: Target) -> list[str]:
    given = ["-F", str(Path(target.config).expanduser())] if target.config else []
    given += ["-p", str(target.port)] if target.port else []
    given += ["-l", target.user] if target.user else []
    given += ["-i", str(Path(target.identity_file).expanduser())] if target.identity_file else []
    ours = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_S,
        "ServerAliveInterval": ALIVE_INTERVAL_S,
        "ServerAliveCountMax": ALIVE_COUNT,
        "ControlMaster": "auto",
        "ControlPersist": "no",
        "ForwardX11": "no",
        "RequestTTY": "no",
        "LogLevel": "ERROR",
    }
    if not hasattr(socket, "AF_UNIX"):  # the OpenSSH of Windows shares no connections
        del ours["ControlMaster"], ours["ControlPersist"]
    return [*given, *(part for key, value in ours.items() for part in ("-o", f"{key}={value}"))]


@contextlib.contextmanager
def connected(target: Target) -> Iterator[Ssh]:
    """Yield an `Ssh` whose connection is held open, so that the commands inside share it."""
    ssh = Ssh(target)
    # `cat` ends with its stdin, and so with us, however we end.
    holder = subprocess.Popen(
        ssh.command(["cat"]), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield ssh
    finally:
        holder.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            holder.wait(5)
        holder.kill()
        holder.wait()
        ssh.close()
