from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transport import sshd


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Sshd]:
    """A real sshd on loopback, for the whole session."""
    lacking = sshd.missing()
    if lacking:
        pytest.skip(lacking)
    running = sshd.start(tmp_path_factory.mktemp("sshd"))
    yield running
    running.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[sshd.Sshd]:
    """One that a test may cut and stop."""
    lacking = sshd.missing()
    if lacking:
        pytest.skip(lacking)
    running = sshd.start(tmp_path / "sshd")
    yield running
    running.stop()
