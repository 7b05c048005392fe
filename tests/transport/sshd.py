"""An sshd of the tests' own on loopback: own port, host key and list of keys. Nothing of the machine's is touched."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAM = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def missing() -> str:
    """Say what this machine lacks for it; nothing if it lacks nothing."""
    lacks = [
        name for name, there in (("openssh-server", PROGRAM), ("openssh-client", shutil.which("ssh"))) if not there
    ]
    return f"apt-get install {' '.join(lacks)}" if lacks else ""


@dataclass
class Sshd:
    """A running server and what a client needs to reach it, all of it in one folder."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    address: str = "127.0.0.1"

    def target(self, name: str = "loop", **keys: object) -> Path:
        """Write a target file for it."""
        given = {"name": name, "reach": "ssh", "host": self.address, "port": self.port, "python": sys.executable}
        given |= {"config": str(self.folder / "ssh_config")} | keys
        path = self.folder / f"{name}.toml"
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in given.items() if value]
        path.write_text("".join(lines))
        return path

    def sessions(self) -> list[psutil.Process]:
        """Return the processes that serve connections."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if process.name() in ("sshd", "sshd-session")]

    def cut(self) -> int:
        """Kill every connection the hard way; return how many processes that were."""
        sessions = self.sessions()
        for process in sessions:
            process.kill()
        return len(sessions)

    def stop(self) -> None:
        if self.process.poll() is not None:
            return
        self.cut()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


def start(folder: Path, address: str = "127.0.0.1", before: tuple[str, ...] = (), command: str = "") -> Sshd:
    """Start one; `before` is put in front of its command line, `command` is what it runs whatever is asked."""
    folder.mkdir(exist_ok=True)
    for name in ("host", "key"):
        if not (folder / name).exists():
            _keygen(folder / name)
    shutil.copy(folder / "key.pub", folder / "authorized")
    port = _free_port(address) if not before else 2222
    (folder / "known").write_text(f"[{address}]:{port} {(folder / 'host.pub').read_text()}")
    configuration = {
        "Port": port, "ListenAddress": address, "HostKey": folder / "host", "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none", "UsePAM": "no", "StrictModes": "no", "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no", "PermitRootLogin": "prohibit-password", "LogLevel": "VERBOSE",
    }  # fmt: skip
    configuration |= {"ForceCommand": command} if command else {}
    (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in configuration.items()))
    (folder / "ssh_config").write_text(
        f"Host *\n  User {getpass.getuser()}\n  IdentityFile {folder / 'key'}\n  IdentitiesOnly yes\n"
        f"  IdentityAgent none\n  UserKnownHostsFile {folder / 'known'}\n  GlobalKnownHostsFile /dev/null\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # where it confines its unprivileged half
    assert PROGRAM is not None
    with (folder / "sshd.log").open("ab") as log:
        process = subprocess.Popen([*before, PROGRAM, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    server = Sshd(folder, port, process, address)
    deadline = time.monotonic() + 120
    while "listening on" not in (folder / "sshd.log").read_text():
        assert process.poll() is None, (folder / "sshd.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return server


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def left_there() -> list[str]:
    """Return the command lines of outposts and workers that run on this machine, whoever their parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if process.status() != psutil.STATUS_ZOMBIE and any(w.startswith("bench.") for w in line):
                found.append(" ".join(line))
        except psutil.Error:
            continue
    return found
