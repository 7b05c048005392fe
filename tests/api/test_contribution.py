"""Contributions of devices: a good one, and every bad one is a line, and nothing is added."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import backends
from bench.api import contribution
from bench.api.admission import NEEDED
from bench.artifact.known import known
from bench.base.errors import OutputError, UsageError
from bench.plan import suite, zoo
from bench.plan.case import Case, Network
from bench.rows.frame import load
from bench.rows.schema import COLUMNS, Row
from bench.rows.seal import SEAL, seal
from tests.conftest import Bench, one_line_error
from tests.rows.rows import row, write

Cells = dict[str, str]
EDITED = "it was edited after `bench devices add`: row_sha256 is not the hash of its cells"
NETWORKS = ("squeezenet:version=1.1", "shufflenetv2", "mobilenetv2")


def measured(model: str, latency_ms: float = 4.0, **changed: object) -> Row:
    """A row as `bench run --suite devices` would write it on some board."""
    network = Network(zoo.resolve(model))
    digest, exporter = next(iter(known()[str(network), 0].items()))
    numbers = {"macs": 10**8, "flops": 2 * 10**8, "params": 10**6, "gmacs_per_s": 100 / latency_ms}
    numbers |= {"p50_ms": latency_ms * 1.1, "min_ms": latency_ms * 0.9, "samples": 640, "parity_rel_l2": 1e-6}
    machine = {"microarchitecture": "zen4", "os": "Debian GNU/Linux 12 (bookworm), kernel 6.1.0", "cores": "1"}
    file = {"artifact_sha256": digest, "exporter": exporter, "isoflops_version": "0.1.0", "device": "cpu", "seed": 0}
    case = Case(network, backends.resolve("onnxruntime", here=False))
    given = {"model": model, "case_id": case.id, "run_id": "5d1f00aa77c2"} | numbers | machine | file
    return row(latency_ms, **given | changed)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write(tmp_path / "raw.csv", [measured(model) for model in NETWORKS])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "devices"


def read(path: Path) -> list[Cells]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def save(path: Path, rows: list[Cells], sealed: bool = True) -> Path:
    """Write rows, with seals that fit them."""
    names = list(dict.fromkeys(name for cells in rows for name in cells))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(cells | ({SEAL: seal(cells)} if sealed and SEAL in names else {}) for cells in rows)
    return path


def wrong(folder: Path) -> list[str]:
    return [line for one in contribution.check(contribution.files(folder)) for line in one.wrong]


def test_rows_become_a_contribution_that_is_fine(raw: Path, folder: Path) -> None:
    path, device, left_out = contribution.prepare(raw, "my-board", folder)
    assert (path, left_out) == (folder / "my-board.csv", [])
    assert device.machine == "EPYC (family=25 model=1)"
    assert wrong(folder) == []
    found = read(path)
    assert [cells["model"] for cells in found] == list(NETWORKS)
    assert {cells["target"] for cells in found} == {"my-board"}
    assert len({cells["case_id"] for cells in found} | {one.case_id for one in map(measured, NETWORKS)}) == 6
    for cells, before in zip(found, read(raw), strict=True):
        changed = {name for name, text in cells.items() if before.get(name) != text}
        assert changed == {"target", "case_id", SEAL}
    assert len(load([str(folder)]).frame) == 3  # every other command reads it as rows


def test_only_the_newest_ok_rows_are_taken_and_it_is_said(tmp_path: Path, folder: Path) -> None:
    rows = [measured(NETWORKS[0], 4.0), measured(NETWORKS[1], status="noisy"), measured(NETWORKS[0], 5.0)]
    _, device, left_out = contribution.prepare(write(tmp_path / "raw.csv", rows), "board", folder)
    assert [cells["latency_ms"] for cells in device.rows] == ["5"]
    assert left_out == [
        "left out: 1 of 3 rows, not being ok",
        "left out: 1 row of cases that were measured again later",
    ]


def test_host_user_and_paths_are_left_out(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "annas-laptop.example.org")
    monkeypatch.setenv("LOGNAME", "annab")
    monkeypatch.setenv("HOME", "/home/annab")
    remark = "not pinned to cores: annab may not; set by /home/annab/.profile, see ~/x or anna@example.org"
    rows = [measured(NETWORKS[0], os="Debian 12, kernel 6.1.0-annas-laptop", remark=remark)]
    path, _, _ = contribution.prepare(write(tmp_path / "raw.csv", rows), "board", folder)
    text = path.read_text()
    assert "not pinned to cores" in text
    assert "kernel 6.1.0" in text
    for private in ("anna", "/home", "~/", "example.org"):
        assert private not in text
    assert wrong(folder) == []


def test_a_device_without_a_name_is_called_as_its_cpu(tmp_path: Path, folder: Path) -> None:
    raw = write(tmp_path / "raw.csv", [measured(NETWORKS[0], cpu="Intel(R) Xeon(R) Processor @ 2.70GHz")])
    assert contribution.prepare(raw, "", folder)[0].name == "intel-xeon-processor-2-70ghz.csv"
    with pytest.raises(OutputError, match="is there already"):
        contribution.prepare(raw, "", folder)


def each(**changed: str) -> Callable[[list[Cells]], list[Cells]]:
    """Change cells of the second row alone."""
    return lambda rows: [rows[0], rows[1] | changed, *rows[2:]]


def without(name: str, other: str = "") -> Callable[[list[Cells]], list[Cells]]:
    """Take a column away, or give it another name."""
    return lambda rows: [
        {(other if n == name else n): text for n, text in cells.items() if other or n != name} for cells in rows
    ]


def in_microseconds(rows: list[Cells]) -> list[Cells]:
    names = ("latency_ms", "latency_lo_ms", "latency_hi_ms")
    return each(**{name: f"{float(rows[1][name]) * 1000:g}" for name in names})(rows)


BAD: dict[str, tuple[Callable[[list[Cells]], list[Cells]], str]] = {
    "a missing column": (without("latency_ms"), "the column latency_ms is missing"),
    "a column in another unit": (without("latency_ms", "latency_us"), "latency_us is in another unit"),
    "a unit that differs": (in_microseconds, "far from its median"),
    "a negative latency": (each(latency_ms="-4"), "line 3: status 'ok', latency_ms -4"),
    "an absurd latency": (each(latency_ms="1e9", latency_hi_ms="2e9", p50_ms="1e9"), "no latency of such a network"),
    "a latency beside its interval": (each(latency_lo_ms="4.2", latency_hi_ms="4.3"), "outside its own interval"),
    "a latency that its rate belies": (each(latency_ms="4.01"), "do not belong together"),
    "a network nobody knows": (each(model="supernet"), "there is no model named 'supernet'"),
    "a file of one's own": (each(model="timm:resnet18"), "no network of the zoo"),
    "another network": (each(model="mobilenetv1"), "case_id is not the hash of its case"),
    "other settings": (each(threads="8"), "case_id is not the hash of its case"),
    "another file": (each(artifact_sha256="ab" * 32), "is not the zoo's shufflenetv2"),
    "another seed": (each(seed="7"), "no hash is known of shufflenetv2 resolution=224 batch=1 with seed 7"),
    "a backend that is none": (each(backend="tensorrt"), "there is no backend named 'tensorrt'"),
    "a scripted backend": (each(backend="fake"), "plays a script"),
    "a path": (each(backend="onnxruntime:python=/home/anna/bin/python"), "backend holds a path"),
    "an empty environment": (each(backend_version=""), "backend_version is empty"),
    "an unknown CPU": (each(cpu="unknown"), "cpu is empty"),
    "an emulated CPU": (each(emulated="true"), "emulated"),
    "a clock that was never set": (each(started_at="1970-01-01T00:00:00+00:00"), "before this program"),
    "rows of two programs": (each(isoflops_version="0.2.0"), "its rows are of 2 programs"),
    "rows of two schemas": (each(schema_version="2"), "its rows are of 2 schemas"),
    "rows of two machines": (each(cpu_id="family=26 model=2"), "its rows are of 2 machines"),
    "a newer schema": (each(schema_version="99"), "upgrade isoflops"),
    "a number that is none": (each(macs="many"), "macs is 'many', which is no whole number"),
    "a column of one's own": (lambda rows: [cells | {"owner": "anna"} for cells in rows], "no column owner"),
    "too many rows": (lambda rows: rows * 101, "303 rows, and 1 to 300"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_one_line_and_nothing_is_added(raw: Path, folder: Path, name: str) -> None:
    change, says = BAD[name]
    bad = save(raw.with_name("bad.csv"), change(read(raw)))
    with pytest.raises(OutputError) as caught:
        contribution.prepare(bad, "board", folder)
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert not folder.exists()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_contribution_is_one_line(raw: Path, folder: Path, name: str) -> None:
    """The same in a file that was sealed anew: the seal is not what finds it."""
    change, says = BAD[name]
    path, _, _ = contribution.prepare(raw, "board", folder)
    save(path, change(read(path)))
    (line,) = wrong(folder)
    assert says in line


def test_an_edited_row_is_found_by_its_hash(raw: Path, folder: Path, tmp_path: Path) -> None:
    path, _, _ = contribution.prepare(raw, "board", folder)
    good = read(path)
    for column in ("p50_ms", "os", "backend_version", "launches"):
        save(path, each(**{column: "7"})(good), sealed=False)
        assert wrong(folder) == [f"line 3: {EDITED}"]
        with pytest.raises(OutputError, match="was edited"):
            contribution.prepare(path, "other", tmp_path / "more")
    assert not (tmp_path / "more").exists()
    save(path, good, sealed=False)
    assert wrong(folder) == []


def test_a_device_is_there_once(raw: Path, folder: Path) -> None:
    path, _, _ = contribution.prepare(raw, "board", folder)
    with pytest.raises(OutputError, match=r"this device is there already, as .*board\.csv"):
        contribution.prepare(raw, "other", folder)
    with pytest.raises(OutputError, match="this device is there already"):
        contribution.prepare(path, "other", folder)
    assert [one.name for one in folder.iterdir()] == ["board.csv"]
    elsewhere = folder.with_name("elsewhere")
    contribution.prepare(raw, "other", elsewhere)
    (elsewhere / "other.csv").rename(folder / "other.csv")
    assert wrong(folder) == ["this device is there already: board.csv has the same run 5d1f00aa77c2"]


def test_a_case_is_there_once(raw: Path, folder: Path) -> None:
    path, _, _ = contribution.prepare(raw, "board", folder)
    save(path, [*read(path), read(path)[0]])
    assert wrong(folder) == ["squeezenet:version=1.1 on onnxruntime stands there twice"]


def test_names_sizes_and_other_files_are_said(raw: Path, folder: Path) -> None:
    path, _, _ = contribution.prepare(raw, "board", folder)
    good = path.read_bytes()
    (folder / "README.md").write_text("what this is")
    (folder / "My Board.csv").write_bytes(good)
    (folder / "large.csv").write_bytes(good + b"\n" * contribution.LARGEST)
    (folder / "notes.txt").write_text("hello")
    (folder / "other.csv").write_bytes(good)
    (folder / "empty.csv").write_bytes(b"")
    (folder / "bare.csv").write_bytes(good.partition(b"\n")[0] + b"\n")
    (folder / "samples.csv").mkdir()
    said = {one.path.name: one.wrong for one in contribution.check(contribution.files(folder))}
    assert all(len(lines) == (name != "board.csv") for name, lines in said.items())
    assert "small letters" in said["My Board.csv"][0]
    assert "262144 are taken" in said["large.csv"][0]
    assert "small letters" in said["notes.txt"][0]
    assert "target board, and the file is called other" in said["other.csv"][0]
    assert "the column run_id is missing" in said["empty.csv"][0]
    assert "it has 0 rows" in said["bare.csv"][0]
    assert "cannot be read" in said["samples.csv"][0]
    with pytest.raises(UsageError):
        contribution.files(folder / "no")


def test_a_row_without_a_seal_is_no_contribution(raw: Path, folder: Path) -> None:
    path, _, _ = contribution.prepare(raw, "board", folder)
    save(path, without(SEAL)(read(path)))
    assert wrong(folder) == ["the column row_sha256 is missing: `bench devices add` makes such files"]


def test_what_a_row_needs_is_of_the_schema() -> None:
    assert set(NEEDED) <= set(COLUMNS)
    assert len(NEEDED) == len(set(NEEDED))
    assert asdict(measured(NETWORKS[0])).keys() >= set(NEEDED)


def test_the_suite_is_ten_networks_whose_files_are_known_in_five_minutes() -> None:
    found = suite.resolve("devices")
    assert len(found.models) == 10
    assert len(found.backends) * len(found.threads) * 10 * (found.budget or 60) <= 300
    assert all(known().get((str(Network(zoo.resolve(model))), 0)) for model in found.models)


def test_the_commands(bench: Bench, raw: Path, folder: Path) -> None:
    added = bench("devices", "add", "raw.csv", "--name", "board", "--folder", "devices")
    assert added.returncode == 0, added.stderr
    assert added.stdout.splitlines()[0] == "devices/board.csv: 3 rows of EPYC (family=25 model=1)"
    fine = bench("devices", "check", "devices")
    assert (fine.returncode, fine.stdout) == (0, "devices/board.csv: fine, 3 rows of EPYC (family=25 model=1)\n")
    save(folder / "board.csv", each(p50_ms="4.2")(read(folder / "board.csv")), sealed=False)
    bad = bench("devices", "check", "devices")
    assert bad.returncode == 1
    assert len(bad.stdout.splitlines()) == 1
    assert "it was edited" in one_line_error(bench("devices", "add", "devices/board.csv", "--name", "b2"))
    assert "no folder results/devices" in one_line_error(bench("devices", "check"))
