from __future__ import annotations

from pathlib import Path

import pytest

from bench.base.errors import UnknownName, UsageError
from bench.plan import target


def test_shipped_targets_read() -> None:
    assert target.resolve("local").reach == "local"
    assert all(t.name == name for name, t in target.shipped().items())


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    path.write_text('name = "board"\ncores = [2, 3]\nnotes = "under the desk"\n')
    assert target.resolve(str(path)) == target.Target("board", cores=(2, 3), notes="under the desk")


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    with pytest.raises(UsageError, match="cannot be read: No such file or directory\n"):
        target.resolve(str(path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "valid TOML"),
        ("cores = [1]", "no name"),
        ('name = "../../../x"', "cannot be a path"),
        ('name = "x"\nreach = "carrier pigeon"', "not offered"),
        ('name = "x"\ncores = 3', "list of core numbers"),
        ('name = "x"\ncores = [-1]', "list of core numbers"),
        ('name = "x"\npython = 3', "must be a text"),
        ('name = "x"\ncoers = [1]', "named 'coers'"),
        ('name = "x"\nreach = "ssh"', "needs host"),
        ('name = "x"\nreach = "container"', "needs image"),
        ('name = "x"\nhost = "b"', "host is for reach = 'ssh'"),
        ('name = "x"\nreach = "ssh"\nhost = "b"\nport = 70000', "from 1 to 65535"),
        ('name = "x"\nreach = "ssh"\nhost = "b"\nbackends = "torch"', "backends must be a list of texts"),
        ('name = "x"\nreach = "ssh"\nhost = "b\\n"', "host must be a text"),
        ('name = "x"\nreach = "container"\nimage = "i"\nengine = "lxc"', "docker or podman"),
    ],
)
def test_a_wrong_file_is_said(text: str, says: str) -> None:
    with pytest.raises((UsageError, UnknownName), match=says):
        target.read("x.toml", text)


def test_keys_are_changed_where_a_target_is_named(tmp_path: Path) -> None:
    found = target.resolve("arm64:host=board.local,port=2222,cores=4+5")
    assert (found.name, found.host, found.port, found.cores) == ("arm64", "board.local", 2222, (4, 5))
    found = target.resolve("arm64:host=b,python=/opt/a,b=c/python,folder=/x,y,port=2222")
    assert (found.python, found.folder, found.port) == ("/opt/a,b=c/python", "/x,y", 2222)
    path = tmp_path / "box.toml"
    path.write_text('name = "box"\nreach = "container"\nimage = "isoflops"\n')
    assert target.resolve(f"{path}:engine=podman,memory=2g").memory == "2g"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("arm64:", "is not NAME:key=value"),
        ("arm64:host", "is not NAME:key=value"),
        ("arm64:hots=x", "named 'hots'"),
        ("arm64:cores=a", "is no number"),
        ("arm64:host=", "needs host"),
        ("arm64:image=x", "image is for reach = 'container'"),
        ("local:host=x", "host is for reach = 'ssh'"),
    ],
)
def test_a_wrong_change_is_said(text: str, says: str) -> None:
    with pytest.raises((UsageError, UnknownName), match=says):
        target.resolve(text)
