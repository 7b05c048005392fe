"""A host of its own for a test: a network namespace on a cable that can be pulled."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Host:
    """`inside` is put in front of a command that is to run there."""

    name: str
    address: str
    far_end: str

    @property
    def inside(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def cable(self, state: str) -> None:
        """Pull the cable (`down`) or put it back (`up`): nothing is told to anybody, packets are lost."""
        _ip("-n", self.name, "link", "set", self.far_end, state)


def missing() -> str:
    """Say why this machine has none of it; nothing if it has."""
    name = f"bench-try-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces here: {error}"
    return ""


@contextlib.contextmanager
def host(number: int = os.getpid() % 200) -> Iterator[Host]:
    """Make one, with the address 10.231.N.2; everything of it goes when the block ends."""
    name, near, far = f"bench-{os.getpid()}", f"bn{os.getpid()}", f"bf{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _ip("addr", "add", f"10.231.{number}.1/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", name, "addr", "add", f"10.231.{number}.2/24", "dev", far)
        _ip("-n", name, "link", "set", far, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield Host(name, f"10.231.{number}.2", far)
    finally:
        for words in (("link", "del", near), ("netns", "del", name)):
            subprocess.run(["ip", *words], capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
