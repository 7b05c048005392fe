from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.base.errors import OutputError, UnknownName
from bench.rows.frame import load
from bench.rows.history import History, history
from bench.stats.changes import breaks
from benchmarks.synthetic_history import Shape, names, score, write
from tests.rows import rows
from tests.rows.rows import row

SMALL = Shape(nights=120, cases=16, changes=4)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_planted_is_found_and_nothing_else(tmp_path: Path, seed: int) -> None:
    planted, met = write(tmp_path, seed, SMALL)
    result = history(load([str(tmp_path)], pool="cpu"), "@".join(names(1)[0]))
    found = score(result, planted, met, SMALL.cases)
    assert found.large_found == found.large > 0
    assert found.false == 0, found.alarms
    assert result.runs > 600


def test_every_series_is_searched_twice_whatever_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for what all cases of a night share and once for its own changes: years of nights take seconds."""
    searched: list[int] = []

    def counted(values: np.ndarray, *how: float) -> list[int]:
        searched.append(len(values))
        return breaks(values, *how)

    write(tmp_path, 1, SMALL)
    monkeypatch.setattr("bench.rows.history.breaks", counted)
    monkeypatch.setattr("bench.stats.changes.breaks", counted)
    result = history(load([str(tmp_path)], pool="cpu"), "@".join(names(1)[0]))
    assert len(searched) == 2 * result.series > 0
    assert result.moved


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_years_of_six_targets(tmp_path: Path, seed: int) -> None:
    planted, met = write(tmp_path, 100 + seed, Shape())
    result = history(load([str(tmp_path)], pool="cpu"), "@".join(names(1)[0]))
    found = score(result, planted, met, Shape().cases)
    assert found.large_found == found.large, found.missed
    assert found.false <= 2, found.alarms


def series(path: Path, logs: dict[str, np.ndarray], **changed: object) -> Path:
    """One job a night with the given cases; a list in `changed` holds a value per night."""
    jobs = len(next(iter(logs.values())))
    found = []
    for i in range(jobs):
        day = (date(2025, 1, 1) + timedelta(days=i)).isoformat()
        extra = {k: v[i] if isinstance(v, list) else v for k, v in changed.items()}
        for model, values in logs.items():
            found.append(row(math.exp(values[i]), model=model, run_id=f"{path.stem}{i}", started_at=day, **extra))
    return rows.write(path, found)


def quiet(seed: int, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.004, n)


def analysed(tmp_path: Path, reference: str | None = "anchor@onnxruntime", pool: str = "") -> History:
    return history(load([str(tmp_path)], pool=pool), reference)


def test_who_when_how_much_and_with_what(tmp_path: Path) -> None:
    step = np.where(np.arange(60) >= 30, 0.1, 0.0)
    versions = ["1.0"] * 30 + ["1.1"] * 30
    series(tmp_path / "a.csv", {"anchor": quiet(1), "x": quiet(2) + step, "y": quiet(3)}, backend_version=versions)
    (moved,) = analysed(tmp_path).moved
    assert (moved.case, moved.last_before, moved.first_after) == ("x on onnxruntime", "2025-01-30", "2025-01-31")
    assert moved.lo < math.exp(0.1) < moved.hi
    assert (moved.nights_before, moved.nights_after) == (30, 30)
    assert moved.changed == ("backend_version: 1.0 -> 1.1",)
    assert moved.reference_changed == ("backend_version: 1.0 -> 1.1",)  # a reference that is not frozen is said to be


def test_a_slow_month_of_the_machine_is_no_change(tmp_path: Path) -> None:
    slow = np.where((np.arange(60) > 20) & (np.arange(60) < 45), 0.3, 0.0)
    series(tmp_path / "a.csv", {"anchor": quiet(1) + slow, "x": quiet(2) + slow})
    assert analysed(tmp_path).moved == ()


def test_the_key_is_the_cpu_and_where_pooled_not_the_label(tmp_path: Path) -> None:
    """One label, two CPUs night by night, which differ by a factor of two: no change on either."""
    logs = {"anchor": quiet(1), "x": quiet(2) + np.where(np.arange(60) >= 30, 0.7, 0)}
    series(tmp_path / "mix.csv", logs, cpu=["EPYC"] * 30 + ["Xeon"] * 30, target="hosted")
    assert analysed(tmp_path).moved == ()
    assert analysed(tmp_path).series == 2
    # And one CPU behind two labels is, pooled, one series, in which a step is seen although each label has one level.
    labels = ["old-label"] * 30 + ["new-label"] * 30
    (tmp_path / "mix.csv").unlink()
    series(tmp_path / "same.csv", logs, target=labels)
    assert analysed(tmp_path).moved == ()
    (moved,) = analysed(tmp_path, pool="cpu").moved
    assert moved.first_after == "2025-01-31"


def test_a_reference_that_moves_is_pointed_at(tmp_path: Path) -> None:
    step = np.where(np.arange(60) >= 30, 0.1, 0.0)
    cases = {f"net{i}": quiet(i + 10) for i in range(9)}
    series(tmp_path / "a.csv", {"anchor": quiet(1) + step, **cases})
    result = analysed(tmp_path)
    assert len(result.moved) == 9
    assert all(m.ratio == pytest.approx(math.exp(-0.1), rel=0.01) for m in result.moved)
    assert any("9 cases got faster on 2025-01-31" in note and "reference moved" in note for note in result.notes)


def test_rows_that_are_not_ok_and_nights_without_a_reference_do_not_count(tmp_path: Path) -> None:
    series(tmp_path / "a.csv", {"anchor": quiet(1), "x": quiet(2)})
    series(tmp_path / "b.csv", {"x": quiet(3, 20) + 1})
    rows.write(tmp_path / "c.csv", [row(90.0, model="x", run_id="c", status="noisy")])
    result = analysed(tmp_path)
    assert result.moved == ()
    assert any(note.startswith("20 runs without an ok row") for note in result.notes)
    assert any(note.startswith("1 row not ok") for note in result.notes)


def test_the_reference_is_found_by_itself(tmp_path: Path) -> None:
    series(tmp_path / "a.csv", {"x": quiet(1), "y": quiet(2)})
    series(tmp_path / "b.csv", {"y": quiet(3, 5)})
    assert analysed(tmp_path, None).reference == "y on onnxruntime"  # the most frequent
    series(tmp_path / "c.csv", {"squeezenet:version=1.1": quiet(4, 3)})
    assert analysed(tmp_path, None).reference == "squeezenet:version=1.1 on onnxruntime"  # the nightly suite's
    with pytest.raises(UnknownName, match="there is no case"):
        analysed(tmp_path, "nothing@openvino")


def test_rows_without_a_date_or_without_any_ok(tmp_path: Path) -> None:
    rows.write(tmp_path / "a.csv", [row(started_at="yesterday")])
    with pytest.raises(OutputError, match=r"a\.csv, line 2: started_at 'yesterday' is no possible date"):
        analysed(tmp_path, None)
    (tmp_path / "a.csv").unlink()
    rows.write(tmp_path / "a.csv", [row(status="noisy")])
    with pytest.raises(OutputError, match="no row is ok"):
        analysed(tmp_path, None)


@pytest.mark.parametrize(("nights", "said"), [(1, "and there is 1"), (9, "and there are 9")])
def test_too_few_nights_to_find_anything_are_said(tmp_path: Path, nights: int, said: str) -> None:
    series(tmp_path / "a.csv", {"anchor": quiet(1, nights), "x": quiet(2, nights), "y": quiet(3, nights)})
    found = analysed(tmp_path)
    assert (found.series, found.searched, found.nights) == (2, 0, nights)
    assert found.notes == (
        f"no change can be found yet: it takes 10 nights of a case (5 on either side), {said}",
    )  # fmt: skip


def test_the_nights_that_a_change_takes_are_those_in_which_one_is_found(tmp_path: Path) -> None:
    step = np.where(np.arange(10) >= 5, 0.3, 0.0)
    series(tmp_path / "a.csv", {"anchor": quiet(1, 10), "x": quiet(2, 10) + step})
    series(tmp_path / "b.csv", {"anchor": quiet(3, 4), "x": quiet(4, 4)}, target="newcomer")
    found = analysed(tmp_path)
    assert (len(found.moved), found.series, found.searched, found.nights) == (1, 2, 1, 10)
    assert found.notes[0].startswith("in 1 of 2 series no change can be found yet")
    assert found.notes[0].endswith("and there are 4")


def test_the_reference_alone_has_no_history(tmp_path: Path) -> None:
    series(tmp_path / "a.csv", {"anchor": quiet(1)})
    found = analysed(tmp_path)
    assert (found.series, found.searched, found.nights) == (0, 0, 0)
    assert "no case but the reference was measured" in found.notes[0]
