from __future__ import annotations

import multiprocessing
import pwd
import time
from pathlib import Path

import pytest

from bench.base import cache
from bench.base.errors import OutputError


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with cache.whole_folder(tmp_path / "a") as draft:
        (draft / "file").write_text("x")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a" / "file").read_text() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_failed_never_appears(tmp_path: Path) -> None:
    def die_half_way() -> None:
        with cache.whole_folder(tmp_path / "a") as draft:
            (draft / "file").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_half_way()
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_two_wins(tmp_path: Path) -> None:
    with cache.whole_folder(tmp_path / "a") as slow:
        (slow / "file").write_text("slow")
        with cache.whole_folder(tmp_path / "a") as fast:
            (fast / "file").write_text("fast")
    assert (tmp_path / "a" / "file").read_text() == "fast"


def _hold(path: Path, log: Path) -> None:
    with cache.locked(path):
        with log.open("a") as handle:
            handle.write("in ")
        time.sleep(0.05)
        with log.open("a") as handle:
            handle.write("out ")


def test_a_lock_holds_among_processes(tmp_path: Path) -> None:
    arguments = (tmp_path / "lock", tmp_path / "log")
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_hold, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 3


def test_an_impossible_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISOFLOPS_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot be made"):
        cache.folder("artifacts")


@pytest.mark.parametrize("asked", ["", "~/kept", "~nobody-here/kept"])
def test_a_user_without_a_home_gets_no_folder_called_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """pytorch/pytorch#140765: containers are run by users that have no account."""

    def nobody(_: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ISOFLOPS_CACHE", asked)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="this user has no home") as caught:
        cache.folder("models")
    assert "ISOFLOPS_CACHE" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
