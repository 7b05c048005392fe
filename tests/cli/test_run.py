"""`bench run` as a person meets it: as a process, with good input and bad."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from bench.base.errors import OutputError
from bench.base.files import Unwritable, remedy
from bench.cli._progress import resumable
from bench.rows import file as records
from bench.rows import schema
from tests.conftest import Bench, one_line_error, tiny_model

FAST = ("--launches", "2", "--budget", "0.5")
SMALL = "shufflenetv2:width=0.5,resolution=64"


def test_two_models_on_two_backends(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    onnx.save(tiny_model(weights_seed=5), other)
    models = ("--model", tiny, "--model", other)
    result = bench("run", *models, "--backend", "onnxruntime", "--backend", "openvino", *FAST)
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("results/*/local.csv")
    rows = records.read(path)
    assert len(rows) == 4
    assert all(row.status in schema.MEASURED for row in rows)
    assert all(row.precision_effective == "fp32" for row in rows)
    assert all(row.macs_executed == row.macs for row in rows)
    assert all(row.parity_rel_l2 < 1e-5 for row in rows)
    for row in rows:  # on a busy machine what was set aside may leave too little for an interval or a percentile
        assert rising(row.latency_lo_ms, row.latency_ms, row.latency_hi_ms)
        assert rising(row.min_ms, row.p50_ms, row.p90_ms)
    assert all(row.cpu and row.arch and row.microarchitecture and row.backend_version for row in rows)
    assert result.stdout.rstrip().endswith(f"rows: {path.relative_to(tmp_path)}")
    launches = list(records.read_samples(path))
    blocks = [block for launch in launches for block in launch["blocks"]]
    assert len(launches) >= sum(row.launches for row in rows)
    assert len(blocks) == sum(row.blocks for row in rows)
    assert sum(len(block["latency_ns"]) for block in blocks) >= sum(row.samples for row in rows)
    assert {b["round"] for launch in launches for b in launch["blocks"]} == {0, 1, 2, 3}


def rising(*values: float | None) -> bool:
    """Tell whether those that are there rise."""
    there = [value for value in values if value is not None]
    return bool(there) and there == sorted(there)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch"])
def test_a_zoo_network_on_every_runtime(bench: Bench, tmp_path: Path, backend: str) -> None:
    result = bench("run", "--model", SMALL, "--backend", backend, *FAST, "--format", "json", "--output", "r.csv")
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(result.stdout)
    assert row["status"] in schema.MEASURED
    assert (row["precision_effective"], row["threads_effective"], row["resolution"]) == ("fp32", 1, 64)
    assert row["parity_rel_l2"] < 1e-4
    assert row["parity_reference"].startswith("torch")
    assert row["macs_executed"] == row["macs"]
    assert row["flops"] == 2 * row["macs"]
    assert row["gmacs_per_s"] == pytest.approx(row["macs"] / row["latency_ms"] / 1e6)


def test_the_second_run_never_imports_torch(bench: Bench, tmp_path: Path) -> None:
    assert bench("run", "--model", SMALL, *FAST).returncode == 0
    trap = tmp_path / "trap"
    trap.mkdir()
    for module in ("torch", "onnxscript"):
        (trap / f"{module}.py").write_text("raise SystemExit('imported again')")
    again = bench("run", "--model", SMALL, *FAST, PYTHONPATH=str(trap))
    assert again.returncode == 0, again.stderr
    first_time = bench("run", "--model", f"{SMALL}", "--seed", 9, *FAST, PYTHONPATH=str(trap))
    assert first_time.returncode == 1  # the trap works


def test_formats_agree(bench: Bench, tiny: Path) -> None:
    run = ("run", "--model", tiny, "--backend", "fake:latency_ms=2", *FAST)
    as_json = bench(*run, "--format", "json")
    as_csv = bench(*run, "--format", "csv")
    as_table = bench(*run)
    (row,) = json.loads(as_json.stdout)
    assert row["latency_ms"] == pytest.approx(2.0)
    assert as_csv.stdout.splitlines()[0].split(",") == list(row)
    assert "2.000" in as_table.stdout
    assert "rows: results" in as_json.stderr


def test_resume_measures_only_what_is_missing(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    run = ("run", "--model", tiny, "--output", "r.csv", *FAST)
    assert bench(*run, "--backend", "fake").returncode == 0
    failing = "fake:fail=crash,fail_at=4"
    both = bench(*run, "--backend", "fake", "--backend", failing, "--resume")
    assert "1 of 2 cases measured already" in both.stderr
    assert both.returncode == 1
    assert [row.status for row in records.read(tmp_path / "r.csv")] == ["ok", "crashed"]
    again = bench(*run, "--backend", "fake", "--backend", failing, "--resume")
    assert again.returncode == 1  # a crash is no measurement: it is tried again
    assert [row.status for row in records.read(tmp_path / "r.csv")] == ["ok", "crashed", "crashed"]


def test_a_bad_case_does_not_cost_the_good_ones(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    backends = ("--backend", "fake", "--backend", "fake:fail=kill,fail_at=50")
    result = bench("run", "--model", tiny, *backends, "--output", "r.csv", *FAST)
    assert result.returncode == 1
    assert sorted(row.status for row in records.read(tmp_path / "r.csv")) == ["crashed", "ok"]
    assert "crashed: " in result.stdout
    assert "Traceback" not in result.stderr


def test_a_hung_worker_is_ended(bench: Bench, tiny: Path) -> None:
    result = bench("run", "--model", tiny, "--backend", "fake:fail=hang,fail_at=3", "--timeout", 2, *FAST)
    assert result.returncode == 1
    assert "timeout: " in result.stdout
    assert "--timeout" in result.stdout


MISTAKES = {
    "unknown model": (("--model", "shuflenetv2"), "did you mean"),
    "width not offered": (("--model", "shufflenetv2:width=0.7"), "0.5, 1, 1.5, 2"),
    "unknown hyper-parameter": (("--model", "shufflenetv2:with=1"), "did you mean width"),
    "no key=value": (("--model", "shufflenetv2:width"), "key=value"),
    "unknown backend": (("--model", "x.onnx", "--backend", "openvinno"), "did you mean openvino"),
    "unknown option of a backend": (("--model", "x.onnx", "--backend", "openvino:prec=fp32"), "did you mean precision"),
    "misspelt version": (("--model", "x.onnx", "--backend", "onnxruntime:verison=1.22.1"), "did you mean version"),
    "precision not offered": (("--model", "x.onnx", "--backend", "openvino:precision=fp8"), "fp32"),
    "unknown target": (("--model", "x.onnx", "--target", "locl"), "did you mean local"),
    "missing target file": (("--model", "x.onnx", "--target", "no.toml"), "check the path"),
    "threads of zero": (("--model", "x.onnx", "--threads", "0"), "1 is the default"),
    "two resolutions": (("--model", "shufflenetv2:resolution=128", "--resolution", "160"), "keep one of the two"),
    "resolution of one": (("--model", "x.onnx", "--resolution", "1"), "224"),
    "output is a folder": (("--model", "x.onnx", "--output", "."), ".csv"),
    "output cannot be made": (("--model", "x.onnx", "--output", "/proc/no/r.csv"), "choose another --output"),
    "output is something else": (("--model", "x.onnx", "--output", "other.csv"), "bench list columns"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_one_line_and_a_hint(bench: Bench, tmp_path: Path, name: str) -> None:
    arguments, says = MISTAKES[name]
    onnx.save(tiny_model(), tmp_path / "x.onnx")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    result = bench("run", *arguments)
    assert says in one_line_error(result)
    assert result.returncode == 2
    assert not result.stdout


def test_a_missing_file_is_said(bench: Bench) -> None:
    assert "there is no file nothing.onnx" in one_line_error(bench("run", "--model", "nothing.onnx"))


def test_a_missing_extra_says_how_to_get_it(bench: Bench, tmp_path: Path) -> None:
    """As on a small device: an interpreter whose site-packages lack PyTorch and OpenVINO."""
    hide = tmp_path / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n in ('torch', 'openvino') else real(n, p)\n"
    )
    hidden = {"PYTHONPATH": str(hide), "ISOFLOPS_CACHE": str(tmp_path / "empty")}
    result = bench("run", "--model", SMALL, "--backend", "openvino", **hidden)
    assert "pip install 'isoflops[openvino]'" in one_line_error(result)
    result = bench("run", "--model", SMALL, "--backend", "onnxruntime", **hidden)
    assert result.returncode == 1
    assert "pip install 'isoflops[zoo]'" in result.stdout
    assert "unsupported" in result.stdout
    result = bench("run", "--model", "alexnet", "--model", "squeezenet", "--model", "vgg16", **hidden)
    assert result.stdout.count("isoflops[zoo]") == 1  # of a suite it was said ten times
    assert "unsupported: 3 networks on onnxruntime: " in result.stdout


def test_no_cuda_is_one_line(bench: Bench) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    result = bench("run", "--model", SMALL, "--backend", "torch:device=cuda", *FAST)
    assert result.returncode == 1
    assert "no CUDA device" in result.stdout
    assert "unsupported" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not an ONNX model"), (b"not a network\n" * 9, "bad.onnx"), (None, "dynamic")],
)
def test_a_bad_onnx_file_costs_its_case(bench: Bench, tmp_path: Path, content: object, says: str) -> None:
    path = tmp_path / "bad.onnx"
    if content is None:
        model = tiny_model(batch="N")
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
        onnx.save(model, path)
    else:
        path.write_bytes(content)
    onnx.save(tiny_model(), tmp_path / "good.onnx")
    result = bench(
        "run", "--model", "bad.onnx", "--model", "good.onnx", "--backend", "fake", *FAST, "--output", "r.csv"
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert says in result.stdout
    assert sorted(row.status for row in records.read(tmp_path / "r.csv")) == ["failed", "ok"]


def test_a_full_disk_is_said(bench: Bench, tiny: Path) -> None:
    """A file may grow to one KiB only, as a full disk would have it."""
    assert bench("run", "--model", tiny, "--backend", "fake", *FAST).returncode == 0  # the artifact is cached now
    command = f"ulimit -f 1; exec {sys.executable} -m bench run --model {tiny} --backend fake --output full.csv"
    result = subprocess.run(["sh", "-c", command], cwd=tiny.parent, capture_output=True, text=True, timeout=300)
    assert "cannot be written any more" in one_line_error(result)
    assert "--resume" in result.stderr


def test_an_output_that_is_no_file_is_refused(bench: Bench, tiny: Path) -> None:
    (tiny.parent / "zero.csv").symlink_to("/dev/zero")
    assert "no regular file" in one_line_error(bench("run", "--model", tiny, "--output", "zero.csv"))


def test_debug_tells_the_story(bench: Bench) -> None:
    result = bench("run", "--model", "shuflenetv2", "--debug")
    assert "Traceback" in result.stderr
    assert result.returncode == 2


def test_a_target_file_pins_the_cores(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    (tmp_path / "mine.toml").write_text(f'name = "mine"\ncores = [{core}]\n')
    result = bench("run", "--model", tiny, "--target", "mine.toml", *FAST, "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (row["target"], row["cores"]) == ("mine", str(core))
    assert list(tmp_path.glob("results/*/mine.csv"))


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "make room and run the same command with --resume"),
        (errno.EDQUOT, "make room and run the same command with --resume"),
        (errno.EIO, "see to that, then run the same command with --resume"),
        (errno.EROFS, "see to that, then run the same command with --resume"),
    ],
)
def test_room_is_asked_for_where_it_is_missing(tmp_path: Path, number: int, hint: str) -> None:
    with pytest.raises(OutputError, match=re.escape(os.strerror(number))) as caught, resumable(tmp_path, 2, lambda: 1):
        raise Unwritable(number, os.strerror(number))
    assert caught.value.hint == hint
    error = OSError(number, os.strerror(number))
    full = number in (errno.ENOSPC, errno.EDQUOT)
    assert remedy(error, "choose another") == ("make room, or choose another" if full else "choose another")
