"""Another version of a runtime, from wheels that are made here: each is what is installed, by another version."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from bench.artifact import store
from bench.backends import versions
from bench.base.errors import BenchError, ParameterError, Unsupported, UsageError
from bench.measure.cases import backend_of, case
from bench.plan import target as targets
from tests.conftest import Bench, one_line_error

# The module that is installed, found behind this one, under another version.
STANDS_ON_IT = """
import sys
from pathlib import Path
here = Path(__file__).resolve().parent
real = next(p for p in (Path(x, "onnxruntime") for x in sys.path) if p.is_dir() and p.resolve() != here)
__path__ = [str(real)]
exec(compile((real / "__init__.py").read_text("utf-8"), str(real / "__init__.py"), "exec"))
__version__ = "{version}"
"""
LOCAL = targets.resolve("local")
ALL = "9.9.4, 9.9.3, 9.9.2, 9.9.1"


def write_wheel(folder: Path, version: str, module: str) -> None:
    """Write a wheel of onnxruntime whose `__init__.py` is `module`."""
    info = f"onnxruntime-{version}.dist-info"
    files = {
        "onnxruntime/__init__.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"onnxruntime-{version}-py3-none-any.whl", "w") as archive:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(name, text)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels: two that say what they are, one that runs another version than it is, one that is broken."""
    pytest.importorskip("pip")
    folder = tmp_path_factory.mktemp("wheels")
    for version, says in (("9.9.1", "9.9.1"), ("9.9.2", "9.9.2"), ("9.9.3", "9.8.0")):
        write_wheel(folder, version, STANDS_ON_IT.format(version=says))
    write_wheel(folder, "9.9.4", "raise OSError('libnothing.so.1: cannot open')\n")
    return folder


@pytest.fixture
def offline(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(versions.WHEELS, str(wheels))
    return wheels


def test_versions_run_side_by_side_and_rows_tell_which_ran(bench: Bench, tiny: Path, wheels: Path) -> None:
    specs = [f"--backend=onnxruntime:version={version}" for version in ("9.9.1", "9.9.2", "9.9.3")]
    result = bench("run", "--model", tiny, *specs, "--wheels", wheels, "--launches", 1, "--budget", 1, "--format=json")
    rows = {row["backend"]: row for row in json.loads(result.stdout)}
    one, two, lies = (rows[f"onnxruntime:version={version}"] for version in ("9.9.1", "9.9.2", "9.9.3"))
    assert (one["backend_version"], two["backend_version"]) == ("9.9.1", "9.9.2")
    assert {one["status"], two["status"]} <= {"ok", "noisy"}, result.stderr
    assert one["parity_rel_l2"] < 1e-5
    assert (lies["status"], lies["error"]) == ("downgraded", "ran onnxruntime 9.8.0, not 9.9.3")
    assert result.returncode == 1  # of the one that lies


def test_an_environment_is_made_once_and_of_a_wheel_that_changed_anew(offline: Path, tmp_path: Path) -> None:
    told: list[str] = []
    first = versions.ensure(backend_of("onnxruntime:version=9.9.1", LOCAL), told.append)
    assert versions.ensure(first, told.append) == first
    assert told == []  # `backend_of` made it
    assert first.canonical == "onnxruntime:version=9.9.1"  # and no path, which would say nothing on another machine
    write_wheel(offline, "9.9.1", STANDS_ON_IT.format(version="9.9.1") + "# rebuilt\n")
    again = versions.ensure(first, told.append)
    assert again.python != first.python
    assert told == ["installing onnxruntime 9.9.1 in an environment of its own, once"]
    listed = [entry for entry in store.entries() if entry.model == "onnxruntime 9.9.1"]
    assert {str(entry.folder) for entry in listed} >= {str(Path(ref.python).parents[1]) for ref in (first, again)}
    assert all(entry.busy and entry.bytes > 0 for entry in listed)


def test_both_sides_of_a_comparison_have_their_own(offline: Path, tiny: Path) -> None:
    a, b = (case(f"{tiny}@onnxruntime:version={version}") for version in ("9.9.1", "9.9.2"))
    assert a.backend.python != b.backend.python
    assert a.id != b.id
    assert case(f"{tiny}@onnxruntime").backend.python == ""


@pytest.mark.parametrize(
    ("version", "said", "hint"),
    [
        ("9.9.9", "there is no wheel of onnxruntime 9.9.9 for CPython ", f"of 9.9 there are {ALL} (newest first)"),
        ("99.9", "there is no wheel of onnxruntime 99.9 for CPython ", f"the newest are {ALL} (newest first)"),
        ("9.9.4", "onnxruntime 9.9.4 cannot be imported here: OSError: libnothing.so.1: cannot open", "python= names"),
    ],
)
def test_what_cannot_be_had_is_one_line(offline: Path, version: str, said: str, hint: str) -> None:
    with pytest.raises(Unsupported) as caught:
        backend_of(f"onnxruntime:version={version}", LOCAL)
    assert caught.value.message.startswith(said)
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_the_command_says_it_in_a_line(bench: Bench, tiny: Path, wheels: Path) -> None:
    spec = "onnxruntime:version=9.9.9"
    said = one_line_error(bench("ab", f"{tiny}@{spec}", f"{tiny}@onnxruntime", "--wheels", wheels))
    assert f"in {wheels}" in said


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ("onnxruntime:version=latest", ParameterError, "version=latest is no version"),
        ("onnxruntime:version=1.0;rm", ParameterError, "is no version"),
        ("onnxruntime:version=1.0,python=/x/python", ParameterError, "each name an interpreter"),
        ("torch:version=2.9.0", ParameterError, "torch takes no version="),
    ],
)
def test_what_is_no_version_is_refused_before_anything_is_installed(
    spec: str, error: type[BenchError], said: str
) -> None:
    with pytest.raises(error, match=said):
        backend_of(spec, LOCAL)


def test_it_is_installed_on_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsupported, match="this machine alone, and arm64 is another"):
        backend_of("onnxruntime:version=1.22.1", targets.resolve("arm64:host=board"))
    monkeypatch.setenv(versions.WHEELS, str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="no folder of wheels"):
        backend_of("onnxruntime:version=1.22.1", LOCAL)


@pytest.mark.parametrize(
    ("asked", "told", "equal"),
    [
        ("1.22.1", "1.22.1", True),
        ("1.22", "1.22.0", True),
        ("2026.2.0", "2026.2.0-19123-abc", True),
        ("2.9.0", "2.9.0+cpu", True),
        ("1.22.1", "1.22.10", False),
        ("1.22", "1.32.0", False),
    ],
)
def test_versions_are_the_same_where_they_mean_the_same(asked: str, told: str, equal: bool) -> None:
    assert versions.same(asked, told) is equal
