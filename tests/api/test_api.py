"""``import bench`` as a script and a notebook use it."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bench
from bench.api.progress import Progress, listener, silent
from bench.plan.protocol import WHOLE
from bench.rows import file, schema
from bench.stats.verdict import MIN_PAIRS
from tests.conftest import TINY_MACS, Bench

FEW = {"launches": 2, "budget": 0.5}
EVIL = "<script>alert(1)</script>"
HEAVY = {"pandas", "numpy", "rich", "click", "onnx", "onnxruntime", "scipy", "torch", "openvino", "psutil"}


def test_the_names_are_these_and_no_others() -> None:
    assert sorted(bench.__all__) == [
        "BenchError", "Breakdown", "Comparison", "Inspection", "Progress", "Results", "__version__",
        "ab", "inspect", "load", "profile", "run",
    ]  # fmt: skip
    assert all(getattr(bench, name) is not None for name in bench.__all__)
    assert set(bench.__all__) <= set(dir(bench))
    with pytest.raises(AttributeError, match="rnu"):
        bench.rnu  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("code", ["import bench", "import bench; bench.run; bench.Results"])
def test_import_costs_nothing(code: str) -> None:
    """No clock: an import is fast that imports none of these. The functions themselves import when they are called."""
    code = f"{code}\nimport sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_no_submodule_hides_a_function() -> None:
    """A subpackage sets its name in ``bench`` when it is imported: none may be called as a function is."""
    code = """
import pkgutil, importlib, bench
names = {m.name for m in pkgutil.iter_modules(bench.__path__)}
print(sorted(names & set(bench.__all__)))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_run_gives_a_row_for_each_case(tiny: Path) -> None:
    steps: list[Progress] = []
    found = bench.run(tiny, ["fake", "fake:latency_ms=2"], threads=1, progress=steps.append, **FEW)
    assert [(row.backend, row.status, row.macs) for row in found] == [
        ("fake", "ok", TINY_MACS),
        ("fake:latency_ms=2", "ok", TINY_MACS),
    ]
    assert (len(found), len(found.ok), found[1].latency_ms) == (2, 2, pytest.approx(2.0))
    assert [(step.done, step.total) for step in steps][-1] == (2, 2)
    assert any("measuring" in step.doing for step in steps)
    assert found.path is None
    assert isinstance(found[:1], bench.Results)
    assert "2.000" in repr(found)
    with pytest.raises(FrozenInstanceError):
        found.rows = ()  # type: ignore[misc]


def test_a_failed_case_is_a_row_that_says_so(tiny: Path) -> None:
    found = bench.run(str(tiny), ["fake", "fake:fail=crash,fail_at=4"], **FEW)
    assert [row.status for row in found] == ["ok", "crashed"]
    assert len(found.ok) == 1
    assert "crashed" in found._repr_html_()


def test_rows_are_kept_where_one_asks_and_load_reads_them(tiny: Path, tmp_path: Path, bench: Bench) -> None:
    import bench as package

    path = tmp_path / "kept" / "r.csv"
    found = package.run(tiny, "fake", output=path, **FEW)
    loaded = package.load(path)
    assert loaded.path == path
    assert [row.case_id for row in loaded] == [row.case_id for row in found]
    assert len(list(file.read_samples(path))) == 2
    # the command appends to the same file, and measures the same case
    args = ("run", "--model", tiny, "--backend", "fake", "--launches", 2, "--output", path)
    assert bench(*args).returncode == 0
    both = package.load(tmp_path / "kept")
    assert [row.case_id for row in both] == [found[0].case_id] * 2


def test_load_passes_over_other_tables_of_a_folder_and_says_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(bench.BenchError, match="no result rows"):
        bench.load(tmp_path / "other.csv")
    kept = Path(__file__).parents[2] / "results" / "xeon-vm-2core" / "nine.csv"
    (tmp_path / "nine.csv").write_bytes(kept.read_bytes())
    assert len(bench.load(tmp_path)) == len(bench.load(kept)) == 9
    with pytest.raises(bench.BenchError):
        bench.load(tmp_path / "nothing.csv")


def test_a_frame_has_every_column_with_its_type() -> None:
    rows = (schema.Row(model="a", latency_ms=1.5, macs=7, emulated=False), schema.Row(model="b"))
    frame = bench.Results(rows).frame()
    assert tuple(frame.columns) == schema.COLUMNS
    assert frame["latency_ms"].dtype == "float64"
    assert frame["latency_ms"].isna().tolist() == [False, True]
    assert (frame["macs"].dtype, frame["macs"][0]) == ("Int64", 7)
    assert (frame["emulated"].dtype, bool(frame["emulated"][0])) == ("boolean", False)
    assert frame["model"].tolist() == ["a", "b"]
    assert isinstance(bench.Results(()).frame(), pd.DataFrame)


def test_html_shows_latency_interval_and_status_and_no_markup_of_others() -> None:
    row = schema.Row(model=EVIL, backend=f"x{EVIL}", status="noisy", error=EVIL,
                     latency_ms=3.975, latency_lo_ms=3.88, latency_hi_ms=4.071)  # fmt: skip
    text = bench.Results((row,))._repr_html_()
    assert "3.975 [3.880, 4.071]" in text
    assert ">noisy</td>" in text
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5  # the names in the table and in the line below it, and the error
    many = bench.Results((row,) * 300)._repr_html_()
    assert "100 more rows" in many


def test_ab_gives_a_verdict_and_its_pairs(tiny: Path, tmp_path: Path) -> None:
    steps: list[Progress] = []
    slow, path = f"{tiny}@fake:latency_ms=1.1", tmp_path / "ab.csv"
    found = bench.ab(f"{tiny}@fake", slow, pairs=5, gate=True, output=path, progress=steps.append)
    assert (found.verdict.verdict, found.confirmed, len(found)) == ("slower", True, 20)
    assert found.verdict.ratio == pytest.approx(1.1)
    assert found.latency_ms == pytest.approx((1.0, 1.1))
    assert [step.doing for step in steps if step.remark] == ["slower: confirming on fresh pairs"]
    assert found.frame()["log_ratio"].tolist() == [pair.log_ratio for pair in found]
    assert len(list(file.read_samples(path))) == 25
    assert "1.1000 [1.1000, 1.1000]" in found._repr_html_()
    assert "B is slower" in repr(found)


def test_ab_refuses_too_few_pairs_before_it_measures(tiny: Path) -> None:
    with pytest.raises(bench.BenchError, match="pairs 4 is no whole number from 5 to 1000"):
        bench.ab(f"{tiny}@fake", f"{tiny}@fake", pairs=4)
    assert WHOLE["pairs"][0] == MIN_PAIRS


def test_inspect_counts_node_by_node(tiny: Path) -> None:
    found = bench.inspect(tiny)
    assert (found.macs, len(found)) == (TINY_MACS, 7)
    assert sum(node.macs for node in found) == TINY_MACS
    assert found.frame()["macs"].sum() == TINY_MACS
    assert "conv depthwise" in found._repr_html_()
    assert "0.1 M MACs" in repr(found)


def test_inspect_takes_shapes(tmp_path: Path) -> None:
    import onnx

    from tests.conftest import tiny_model

    path = tmp_path / "dynamic.onnx"
    onnx.save(tiny_model(batch="N"), path)
    assert bench.inspect(path, shapes={"x": (2, 3, 16, 16)}).macs == 2 * TINY_MACS


def test_profile_adds_up(tiny: Path) -> None:
    steps: list[Progress] = []
    found = bench.profile(f"{tiny}@onnxruntime", launches=1, loads=1, inferences=3, progress=steps.append)
    total = sum(operator.time_us for operator in found) / 1e3 + found.profile.residual_ms
    assert total == pytest.approx(found.latency_ms)
    assert len(found.frame()) == len(found) > 0
    assert [(step.done, step.total) for step in steps] == [(1, 1)]
    assert "conv depthwise" in found._repr_html_()
    assert "latency" in repr(found)


def test_mistakes_raise_and_say_what_to_do() -> None:
    with pytest.raises(bench.BenchError) as caught:
        bench.run("shuflenetv2")
    assert "shufflenetv2" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "says", "hint"),
    [
        ({"precision": 8}, "precision=8 is no text", 'precision="int8"'),
        ({"input": 3}, "input=3 is no path, nor a dict", "input="),
        ({"input": {"x": [[1, 2], [3]]}}, "the input x is no array", ".npz"),
        ({"shapes": "x=1x3x16x16"}, "is no dict of shapes", 'shapes={"x"'),
        ({"shapes": {"x": 3}}, "the shape 3 of x is none", "1x16:int64"),
        ({"sustain": 5}, "sustain=5 is no text", 'sustain="30m"'),
        ({"over": 5}, "over=5 is no text", 'over="2m"'),
        ({"budget": "x"}, "budget x is no number of seconds", "60"),
        ({"timeout": 0}, "timeout 0 is no number of seconds", "60"),
        ({"threads": "two"}, "threads='two' is no whole number", "threads=2"),
        ({"threads": [1, 1.5]}, "threads=1.5 is no whole number", "threads=2"),
        ({"batch": None}, "batch=None is no whole number", "batch=2"),
        ({"batch": True}, "batch=True is no whole number", "batch=2"),
        ({"threads": []}, "nothing to measure", "no list may be empty"),
        ({"progress": 3}, "progress=3 cannot be called", "progress=print"),
        ({"launches": 0}, "launches 0 is no whole number from 1 to 1000", "launches=5"),
        ({"launches": "many"}, "launches many is no whole number", "launches=5"),
        ({"seed": -1}, "seed -1 is no whole number from 0", "seed=5"),
        ({"pace": 33}, "pace=33 is no text", 'pace="33ms"'),
        ({"limits": 3}, "limits=3 is no text", "p99=33ms"),
        ({"max_latency": 10}, "max_latency=10 is no text", '"10ms"'),
        ({"output": 1}, "output=1 is no text", "rows.csv"),
        ({"target": None}, "target=None is no text", "local"),
        ({"energy": True}, "energy=True is no text", '"auto"'),
        ({"energy": "scriptet"}, "no meter named 'scriptet'", "nvml"),
        ({"calibration": "gone.npz", "precision": "int8"}, "calibration file gone.npz cannot be read", "--calibration"),
    ],
)  # fmt: skip
def test_what_is_none_is_told_in_a_line(tiny: Path, given: dict[str, Any], says: str, hint: str) -> None:
    with pytest.raises(bench.BenchError) as caught:
        bench.run(tiny, "onnxruntime" if "calibration" in given else "fake", **given)
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_other_functions_say_it_too(tiny: Path) -> None:
    for call, says in (
        (lambda: bench.run(3), "models=3 is no text"),
        (lambda: bench.ab(tiny, 3), "b=3 is no text"),
        (lambda: bench.ab(tiny, tiny, seed=-1), "seed -1 is no whole number"),
        (lambda: bench.ab(tiny, tiny, margin="1%"), "margin=1% is no share"),
        (lambda: bench.ab(tiny, tiny, threads="two"), "threads='two' is no whole number"),
        (lambda: bench.inspect(tiny, batch="two"), "batch='two' is no whole number"),
        (lambda: bench.profile(tiny, inferences=0), "inferences 0 is no whole number from 1"),
        (lambda: bench.load(3), "path=3 is no text"),
    ):
        with pytest.raises(bench.BenchError) as caught:
            call()
        assert says in caught.value.message
        assert caught.value.hint


def test_numbers_and_texts_of_any_kind(tiny: Path) -> None:
    found = bench.run([tiny], ("fake",), threads=np.arange(1, 3), batch=np.int64(1), energy="auto", **FEW)
    assert [row.threads for row in found] == [1, 2]
    assert all("energy is unmeasurable here: this backend plays a script" in (row.remark or "") for row in found)


class Notebook:
    """IPython as far as progress needs it: a shell, and a display whose handle can be updated."""

    def __init__(self, kernel: bool) -> None:
        self.shown: list[str] = []
        self.shell = types.SimpleNamespace(**({"kernel": object()} if kernel else {}))

    def module(self) -> Any:
        display = types.SimpleNamespace(display=self.display)
        return types.SimpleNamespace(get_ipython=lambda: self.shell, display=display)

    def display(self, bundle: dict[str, str], raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.shown.append(bundle["text/plain"])
        return types.SimpleNamespace(update=lambda bundle, raw: self.shown.append(bundle["text/plain"]))


def test_a_notebook_shows_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(kernel=True)
    monkeypatch.setitem(sys.modules, "IPython", notebook.module())
    told = listener(None)
    told(Progress(0, 2, "loading \x1b[31m"))
    told(Progress(1, 2, "measuring"))
    assert notebook.shown == ["0 of 2: loading ?[31m", "1 of 2: measuring"]


def test_a_terminal_and_a_script_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", Notebook(kernel=False).module())
    assert listener(None) is silent
    monkeypatch.delitem(sys.modules, "IPython")
    assert listener(None) is silent
    assert listener(silent) is silent
