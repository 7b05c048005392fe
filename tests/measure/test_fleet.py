"""Fleets on loopback: devices killed in the middle, two workers on one device, interrupted and resumed runs, TLS."""

from __future__ import annotations

import gc
import json
import shutil
import signal
import subprocess
import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import onnx
import pytest

from bench import backends
from bench.plan import zoo
from bench.plan.case import cross
from bench.plan.protocol import Protocol
from bench.rows import file as records
from bench.rows import schema
from tests.conftest import Bench, one_line_error, tiny_model
from tests.measure.cluster import Cluster, until

pytestmark = pytest.mark.fleet
pytest.importorskip("distributed", reason="Dask distributed is not installed")
QUICK = ("--launches", 1, "--fleet-wait", 120)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    onnx.save(tiny_model(), path)
    return path


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four workers of two targets; c and d are two workers on one device."""
    devices = {"a": "one", "b": "one", "c": "two", "d": "two"}
    with Cluster(tmp_path_factory.mktemp("fleet"), devices, {"c": "cd", "d": "cd"}) as cluster:
        yield cluster


def fakes(n: int, **options: object) -> list[str]:
    more = "".join(f",{k}={v}" for k, v in options.items())
    return [part for i in range(1, n + 1) for part in ("--backend", f"fake:latency_ms={20 + i}{more}")]


def running(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start ``bench run``; one in the background would ignore SIGINT, so that is undone."""
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--output", "r.csv", *map(str, arguments)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def rows_in(path: Path) -> list[schema.Row]:
    return records.read(path) if path.exists() and path.stat().st_size else []


def blocks_of(path: Path, target: str) -> list[tuple[int, int]]:
    """When each case of a target began its first and ended its last block, on the clock that processes share."""
    spans: dict[str, list[int]] = {}
    for launch in records.read_samples(path):
        if launch["target"] == target:
            for block in launch["blocks"]:
                begin = block["start_ns"]
                spans.setdefault(launch["case_id"], []).extend([begin, begin + block["covariates"]["wall_ns"]])
    return sorted((min(times), max(times)) for times in spans.values())


def test_a_device_killed_in_the_middle_costs_no_row(fleet: Cluster, model: Path, tmp_path: Path) -> None:
    targets = ("--target", "one", "--target", "two")
    process = running(tmp_path, "--fleet", fleet.address, *targets, "--model", model, *fakes(6), *QUICK)
    until(lambda: any(row.target == "one" for row in rows_in(tmp_path / "r.csv")), "the first row")
    fleet.kill("b")
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stdout + stderr
    rows = rows_in(tmp_path / "r.csv")
    assert Counter(row.target for row in rows) == {"one": 6, "two": 6}
    assert len({row.case_id for row in rows}) == 12
    assert {row.status for row in rows} == {"ok"}, [row.error for row in rows]
    assert len({row.run_id for row in rows}) == 1
    assert {launch["case_id"] for launch in records.read_samples(tmp_path / "r.csv")} == {row.case_id for row in rows}
    assert stdout.count("fake:latency_ms=22 ") == 2

    spans = blocks_of(tmp_path / "r.csv", "two")
    assert len(spans) == 6
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans)), "two cases at once"
    fleet.start("b")


def test_a_run_stops_and_goes_on(fleet: Cluster, bench: Bench, model: Path, tmp_path: Path) -> None:
    cases = ("--fleet", fleet.address, "--model", model, *fakes(12, sleep_ms=10), *QUICK)
    process = running(tmp_path, *cases)
    until(lambda: len(rows_in(tmp_path / "r.csv")) >= 2, "the second row")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert "--resume goes on" in stderr
    done = len(rows_in(tmp_path / "r.csv"))
    assert 2 <= done < 12

    def idle() -> bool:
        status = bench("targets", "status", fleet.address, "--format", "json")
        return not any(device["busy"] for device in json.loads(status.stdout))

    until(idle, "devices without a case")
    again = bench("run", "--resume", "--output", "r.csv", *cases)
    assert again.returncode == 0, again.stderr
    assert f"{done} of 12 cases measured already" in again.stderr
    rows = rows_in(tmp_path / "r.csv")
    assert len({row.backend for row in rows}) == len(rows) == 12
    assert {row.target for row in rows} <= {"one", "two"}


def test_nothing_of_finished_cases_stays_in_the_coordinator(fleet: Cluster, model: Path) -> None:
    from bench.measure.fleet import Coordinator
    from bench.transport.dask import client

    refs = [backends.resolve(f"fake:latency_ms={i}") for i in range(1, 9)]
    plan = cross([zoo.resolve(str(model))], refs, target="one", protocol=Protocol(launches=1, max_launches=1))
    connection = client(fleet.address)
    try:
        before = rows_alive()
        handed: list[weakref.ref[records.Row]] = []
        held = []
        for row, _ in Coordinator(connection, plan).run():
            handed.append(weakref.ref(row))
            del row
            gc.collect()
            held.append(sum(one() is not None for one in handed))
    finally:
        connection.close()
    assert len(held) == 8
    assert max(held) <= 2  # the one that is handed out; nothing of what was handed out before, however far devices are
    assert rows_alive() - before <= 1


def rows_alive() -> int:
    gc.collect()
    return sum(type(one) is records.Row for one in gc.get_objects())


def test_another_build_on_a_device_is_refused_in_one_line(bench: Bench, model: Path, tmp_path: Path) -> None:
    """Each case fails with what to do, and no wait: a device of another program would measure another thing."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif sys.orig_argv[-2:-1] == ['bench.transport.agent']:\n"
        "    from bench.transport import wheel\n    wheel.program = lambda: '0' * 64\n"
    )
    with Cluster(tmp_path, {"a": "one"}, environment={"PYTHONPATH": str(tmp_path)}) as cluster:
        result = bench("run", "--fleet", cluster.address, "--model", model, *fakes(2), *QUICK, "--output", "r.csv")
        rows = rows_in(tmp_path / "r.csv")
    assert result.returncode == 1, result.stderr
    assert len(rows) == 2
    assert all("but of another build" in (row.error or "") for row in rows), [row.error for row in rows]


def test_a_real_runtime_measures_on_a_device(fleet: Cluster, bench: Bench, model: Path) -> None:
    run = bench("run", "--fleet", fleet.address, "--target", "one", "--model", model, "--output", "r.csv", *QUICK,
                "--budget", 1, "--format", "json")  # fmt: skip
    (row,) = json.loads(run.stdout)
    assert row["status"] in ("ok", "noisy"), row
    assert row["parity_rel_l2"] < 1e-4
    assert row["cpu"]
    assert row["latency_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "oen", "--fleet-wait", 0), "did you mean one"),
        (("--backend", "fake:python=/usr/bin/python3"), "an interpreter of this machine means nothing"),
        (("--tls-ca", __file__), "TLS needs three files"),
    ],
)
def test_what_a_fleet_cannot_do_is_said_in_one_line(
    fleet: Cluster, bench: Bench, model: Path, arguments: tuple[object, ...], said: str
) -> None:
    result = bench("run", "--fleet", fleet.address, "--model", model, *arguments)
    assert said in one_line_error(result)


def test_a_target_without_a_device_any_more_ends_in_failed_rows(fleet: Cluster, model: Path, tmp_path: Path) -> None:
    cases = ("--model", model, *fakes(8, sleep_ms=10), "--launches", 1, "--fleet-wait", 2)
    process = running(tmp_path, "--fleet", fleet.address, "--target", "two", *cases)
    until(lambda: rows_in(tmp_path / "r.csv"), "the first row")
    fleet.kill("c")
    fleet.kill("d")
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 1, stderr
    rows = rows_in(tmp_path / "r.csv")
    assert len({row.case_id for row in rows}) == len(rows) == 8
    lost = [row for row in rows if row.status == "failed"]
    assert lost
    assert all("no other of target two was there for 2 s" in row.error or "no device" in row.error for row in lost)
    assert all(row.status == "ok" for row in rows if row not in lost)


def test_a_target_that_is_not_there_costs_its_own_cases(
    fleet: Cluster, bench: Bench, model: Path, tmp_path: Path
) -> None:
    targets = ("--target", "one", "--target", "board", "--fleet-wait", 0)
    result = bench("run", "--fleet", fleet.address, *targets, "--model", model, *fakes(2), "--launches", 1,
                   "--output", "r.csv")  # fmt: skip
    assert result.returncode == 1, result.stderr
    rows = rows_in(tmp_path / "r.csv")
    assert Counter((row.target, row.status) for row in rows) == {("one", "ok"): 2, ("board", "failed"): 2}
    assert all(row.error.startswith("no device of target board was there") for row in rows if row.status == "failed")


def test_a_scheduler_that_is_not_there(bench: Bench, model: Path) -> None:
    result = bench("run", "--fleet", "tcp://127.0.0.1:9", "--model", model)
    assert "no scheduler at tcp://127.0.0.1:9" in one_line_error(result)
    result = bench("run", "--target", "fleet:scheduler=tcp://127.0.0.1:9", "--model", model)
    assert "no scheduler at tcp://127.0.0.1:9" in one_line_error(result)
    result = bench("targets", "serve", "127.0.0.1:9")
    assert "no scheduler at tcp://127.0.0.1:9" in one_line_error(result)


def test_tls(bench: Bench, model: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    certify(tmp_path)
    with Cluster(tmp_path, {"a": "one"}, tls=str(tmp_path)) as cluster:
        case = ("run", "--fleet", cluster.address, "--model", model, *fakes(1), *QUICK, "--output", "r.csv")
        assert cluster.address.startswith("tls://")
        assert "do not go together" in one_line_error(bench(*case))
        result = bench(*case, *cluster.tls_options)
        assert result.returncode == 0, result.stderr
        certify(tmp_path)  # another authority
        assert "no scheduler at tls://" in one_line_error(bench(*case, *cluster.tls_options))


def certify(folder: Path) -> None:
    """Write ca.pem, cert.pem and key.pem: a certificate that is its own authority."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=fleet", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.copy(folder / "cert.pem", folder / "ca.pem")


def test_a_device_waits_for_a_scheduler_that_has_gone(bench: Bench, tmp_path: Path) -> None:
    with Cluster(tmp_path, {"a": "one"}) as cluster:
        port = cluster.address.rpartition(":")[2]
        cluster.kill("scheduler")
        until(lambda: "has gone; it is waited for" in cluster.log("a"), "the device's word")
        assert cluster.processes["a"].poll() is None
        cluster._start("scheduler", "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard",
                       "--dashboard-address", "127.0.0.1:0")  # fmt: skip
        until(lambda: cluster.log("a").count("measures for") == 2, f"the device again: {cluster.log('a')}")
        listed = until(lambda: json.loads(bench("targets", "status", cluster.address, "--format", "json").stdout), "it")
        assert [device["name"] for device in listed] == ["a"]
        cluster.processes["a"].send_signal(signal.SIGTERM)
        assert cluster.processes["a"].wait(60) == 0
