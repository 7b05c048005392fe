"""Findings on a fleet on loopback: every device measures all of them; devices that are lost and come back."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.base.errors import BenchError
from bench.cli.findings import command
from bench.findings import catalog, store
from bench.findings.finding import Experiment, Finding, counted
from bench.findings.side import Side
from bench.measure.replicates import log_ratio
from bench.transport.dask import client, devices
from tests.measure.cluster import Cluster, until

pytestmark = pytest.mark.fleet
pytest.importorskip("distributed", reason="Dask distributed is not installed")
A, B = (Side(f"stack/conv:c=16{more}", resolution=8) for more in ("", ",groups=2"))
FOUND = Finding("G1", "groups cost time", "Paper, Table 1", "Paper", (Experiment("small", A, B, 1.5, "a phone"),))
COUNTED = Finding("X-1", "half the MACs", "Paper, Table 2", "Paper", (counted(A, B, "macs", 0.5),))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A device of each of two targets."""
    with Cluster(tmp_path_factory.mktemp("fleet"), {"a": "one", "b": "two"}) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that is measured within seconds."""
    monkeypatch.setattr(catalog, "catalog", lambda: {"G1": FOUND, "X-1": COUNTED})


def run(output: Path, *arguments: object, replicates: int = 3) -> Result:
    given = ["run", "--output", output, "--waves", replicates, "--format", "json", *arguments]
    if "--backend" not in arguments:
        given += ["--backend", "fake"]
    return CliRunner().invoke(command, [str(a) for a in given], catch_exceptions=False)


def good_waves(path: Path) -> int:
    """How many replicates there are that both sides came through."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
    return sum(log_ratio(*line["sides"].values()) is not None for line in lines if line["kind"] == "wave")


def names(fleet: Cluster) -> set[str]:
    """The devices that the scheduler knows of."""
    connection = client(fleet.address)
    try:
        return {device.name for device in devices(connection).values()}
    finally:
        connection.close(timeout=5)


def test_every_device_measures_all_and_judges_for_itself(fleet: Cluster, tmp_path: Path) -> None:
    output = tmp_path / "f.jsonl"
    said = run(output, "--target", f"fleet:scheduler={fleet.address}")
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    told = [(row["device"], row["target"], row["id"], row["verdict"]) for row in found]
    assert told == [
        (device, target, id, verdict)
        for device, target in (("a", "one"), ("b", "two"))
        for id, verdict in (("G1", "does not transfer"), ("X-1", "reproduced"))
    ]
    files = {device: tmp_path / f"f-{device}.jsonl" for device in "ab"}
    assert sorted(tmp_path.glob("*.jsonl")) == sorted(files.values())
    for device, path in files.items():
        evidence = store.read(path)
        assert evidence.header["target"] == {"a": "one", "b": "two"}[device]
        assert good_waves(path) == len(evidence.replicates) == 3
        assert path.with_suffix(".csv").exists()
        assert path.with_suffix(".samples.jsonl.gz").exists()
    with pytest.raises(BenchError, match=r"f-a\.jsonl is there already"):
        run(output, "--fleet", fleet.address)
    before = {path: path.read_text() for path in files.values()}
    again = run(output, "--fleet", fleet.address, "--resume")
    assert json.loads(again.stdout) == found
    assert {path: path.read_text() for path in files.values()} == before


def test_a_device_that_is_lost_and_comes_back_goes_on(fleet: Cluster, tmp_path: Path) -> None:
    output, said = tmp_path / "f.jsonl", []
    slow = ("--fleet", fleet.address, "--backend", "fake:sleep_ms=2")
    running = threading.Thread(target=lambda: said.append(run(output, *slow, replicates=4)))
    running.start()
    until(lambda: good_waves(tmp_path / "f-b.jsonl") >= 1, "the first wave of b")
    fleet.kill("b")
    until(lambda: "b" not in names(fleet), "the loss of b")
    fleet.start("b")
    running.join(300)
    assert said, "it has not ended"
    assert said[0].exit_code == 0, said[0].stderr
    assert {row["verdict"] for row in json.loads(said[0].stdout)} == {"does not transfer", "reproduced"}
    assert good_waves(tmp_path / "f-a.jsonl") == good_waves(tmp_path / "f-b.jsonl") == 4


def test_a_device_that_stays_away_costs_its_own_part(fleet: Cluster, tmp_path: Path) -> None:
    output, said = tmp_path / "f.jsonl", []
    slow = ("--fleet", fleet.address, "--fleet-wait", 0, "--backend", "fake:sleep_ms=2")
    running = threading.Thread(target=lambda: said.append(run(output, *slow, replicates=4)))
    running.start()
    until(lambda: good_waves(tmp_path / "f-b.jsonl") >= 1, "the first wave of b")
    fleet.kill("b")
    running.join(300)
    assert said, "it has not ended"
    assert said[0].exit_code == 1
    assert "b: the device was lost; --resume goes on" in said[0].stderr
    assert {row["verdict"] for row in json.loads(said[0].stdout) if row["device"] == "a"} == {
        "does not transfer",
        "reproduced",
    }
    kept = good_waves(tmp_path / "f-b.jsonl")
    assert kept < 4
    without = run(output, *slow, "--resume", replicates=4)
    assert without.exit_code == 1  # nothing of what is missing is passed over
    assert "b: the device is not there; its evidence is of before" in without.stderr
    told = {(row["device"], row["id"]): row["verdict"] for row in json.loads(without.stdout)}
    assert told["a", "G1"] == "does not transfer"
    assert told["b", "G1"] == "not testable here"
    fleet.start("b")
    until(lambda: "b" in names(fleet), "device b")
    again = run(output, *slow, "--resume", replicates=4)
    assert again.exit_code == 0, again.stderr
    assert good_waves(tmp_path / "f-b.jsonl") == 4


def test_a_target_that_is_not_there_costs_its_own_part(fleet: Cluster, tmp_path: Path) -> None:
    absent = ("--fleet", fleet.address, "--target", "one", "--target", "board", "--fleet-wait", 0)
    said = run(tmp_path / "f.jsonl", *absent)
    assert said.exit_code == 1
    assert {row["target"] for row in json.loads(said.stdout)} == {"one"}
    assert "board: no device of target board was there for 0 s" in said.stderr


def test_one_target_is_one_kind_of_device_and_one_without_a_name_is_called_by_its_machine(
    fleet: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from bench.measure import crews

    there = crews.devices

    def nameless(client: object) -> dict[str, object]:
        return {address: replace(device, name=address) for address, device in there(client).items()}

    monkeypatch.setattr(crews, "devices", nameless)
    alone = run(tmp_path / "f.jsonl", "--fleet", fleet.address, "--target", "two")
    assert alone.exit_code == 0, alone.stderr
    assert {row["target"] for row in json.loads(alone.stdout)} == {"two"}
    (path,) = tmp_path.glob("*.jsonl")
    assert path.name == f"f-{store.read(path).header['machine']}.jsonl"
    both = run(tmp_path / "f.jsonl", "--fleet", fleet.address, "--resume")
    assert both.exit_code == 1  # nothing tells them apart
    assert "is another device's: give each a name" in both.stderr


def test_what_findings_on_a_fleet_cannot_do_is_said_in_one_line(fleet: Cluster, tmp_path: Path) -> None:
    wrong: list[tuple[tuple[object, ...], str]] = [
        (("--target", "one", "--target", "two"), "--target is given twice"),
        (("--fleet", fleet.address, "--target", "oen", "--fleet-wait", 0), "no target in the fleet named 'oen'"),
        (("--fleet", fleet.address, "--backend", f"fake:python={sys.executable}"), "an interpreter of this machine"),
        (("--fleet", "tcp://127.0.0.1:9"), "no scheduler at tcp://127.0.0.1:9"),
    ]
    for arguments, told in wrong:
        with pytest.raises(BenchError, match=told):
            run(tmp_path / "f.jsonl", *arguments)
    assert not list(tmp_path.iterdir())
