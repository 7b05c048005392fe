"""What a report is made of: which row of a case counts, what is told of pairs and nights, what files are found."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.base.errors import OutputError, UsageError
from bench.plan.zoo import canonical
from bench.report.html.cases import MOST, cases, group_of
from bench.report.html.charts.place import SIDES, sides
from bench.report.html.data import gather
from bench.report.html.headline import headline, lead
from bench.report.html.page import page
from bench.report.html.pairs import top1
from tests.report.results import EVIDENCE, NETWORKS, everything, nights, profile, two_targets
from tests.rows.rows import row, write


def test_of_a_case_the_newest_row_counts(tmp_path: Path) -> None:
    late, early = "2026-03-02T00:00:00+00:00", "2026-03-01T00:00:00+00:00"
    write(tmp_path / "a.csv", [row(5, started_at=late, run_id="b"), row(9, started_at=early), row(7, threads=2)])
    data = gather([str(tmp_path)])
    assert [(r.latency_ms, r.threads, r.rows) for r in data.cases.rows] == [(5.0, "1", 2), (7.0, "2", 1)]
    assert "2 cases from 3 rows of 2 runs" in lead(data)[0]


def test_families_and_the_lines_that_join_widths() -> None:
    assert group_of("shufflenetv2:width=0.5")[1] == group_of("shufflenetv2")[1]
    assert group_of("shufflenetv1:groups=8")[1] != group_of("shufflenetv1")[1]
    assert group_of("mobilenetv3-small")[0] == "mobilenetv3"
    assert group_of("some/folder/net.onnx")[0] == "net.onnx"
    assert group_of("a:b:c:=")[0] == "a:b:c:="


def test_inversions_are_those_of_one_setting(tmp_path: Path) -> None:
    data = gather([str(two_targets(tmp_path / "r.csv"))])
    pairs = {(r["slower"], r["faster"], r["setting"]): r for r in data.inverted.records}
    # ShuffleNet V1 (138 M, 4 ms) against V2 (146 M, 3 ms), on either target; PP-LCNet is within 10% of V2 only.
    assert set(pairs) == {("shufflenetv1", "shufflenetv2", "x86"), ("shufflenetv1", "shufflenetv2", "arm")}
    assert data.inverted.near == 4
    one = pairs["shufflenetv1", "shufflenetv2", "x86"]
    assert one["ratio"] == pytest.approx(4 / 3, rel=1e-3)
    assert one["lo"] < one["ratio"] < one["hi"]
    assert {data.cases.rows[i].label for i in one["on"]} == {"shufflenetv1", "shufflenetv2"}
    assert headline(data) == (
        "Of 4 pairs of networks within 10% MACs, 2 are inverted beyond doubt: no more MACs, yet slower. The worst: "
        "shufflenetv1 takes 1.33 times as long as shufflenetv2, at 138 against 146 M MACs (arm)."
    )


def test_arm_stands_beside_x86_and_published_devices_follow(tmp_path: Path) -> None:
    orders = gather([str(two_targets(tmp_path / "r.csv"))]).orders
    first = orders[0]
    assert (first.a, first.b, first.published) == ("x86", "arm", "")
    assert {r["network"] for r in first.records} == set(NETWORKS)
    assert first.moved > 0
    published = [order for order in orders if order.published]
    assert published
    assert all("(published)" in order.b and len(order.records) >= 3 for order in published)


def test_accuracy_is_published_with_its_source(tmp_path: Path) -> None:
    data = gather([str(two_targets(tmp_path / "r.csv"))])
    found = {r["model"]: r for r in data.pareto}
    assert found["mobilenetv1"]["top1"] == 70.6
    assert found["mobilenetv1"]["source"].startswith("MobileNet V1, Table")
    other = next(r for r in data.cases.rows if r.model == "mobilenetv1")
    assert top1(other) is not None
    failed = next(r for r in data.cases.rows if r.status == "failed")
    assert not failed.measured
    assert "vgg16" not in found


def test_accuracy_is_found_under_every_name_of_a_network(tmp_path: Path) -> None:
    """Rows name a network canonically, papers by any alias; who has no accuracy is listed."""
    models = {"resnet50": True, "mobilenetv3-small": True, "nasnet-mobile": True, "efficientnet-b0": True, "net": False}
    rows = [row(3.0 + i, model=canonical(name), macs=(100 + i) * 10**6) for i, name in enumerate(models)]
    rows.append(row(9.0, model="shufflenetv2", resolution=64, macs=10**7))
    rows = [replace(one, resolution=None if one.model == "net" else one.resolution) for one in rows]
    data = gather([str(write(tmp_path / "r.csv", rows))])
    assert {r["model"] for r in data.pareto} == {canonical(name) for name, known in models.items() if known}
    assert set(data.without_top1) == {"net", "shufflenetv2"}
    html = page(data)
    assert "for want of a published accuracy at their resolution: shufflenetv2, net" in html


def test_every_measured_network_is_on_the_front_or_listed() -> None:
    """Of the zoo's rows that are kept."""
    kept = Path(__file__).parents[2] / "results" / "xeon-vm-2core" / "zoo.csv"
    data = gather([str(kept)])
    measured = {r.label for r in data.cases.rows if r.measured}
    assert {r["model"] for r in data.pareto} | set(data.without_top1) == measured
    assert len(data.pareto) > len(data.without_top1)


def test_history_has_the_nights_and_what_moved(tmp_path: Path) -> None:
    pytest.importorskip("ruptures")
    # A single run of another machine beside them has no history, and takes none away.
    write(tmp_path / "once.csv", [row(3, model="squeezenet:version=1.1", cpu_id="other")])
    nights(tmp_path / "nights.csv")
    found = gather([str(tmp_path)]).nights
    assert [s.model for s in found.series if s.moved] == ["pplcnet"]
    assert found.series[0].model == "pplcnet"
    assert len(found.series[0].days) == 24
    assert found.series[0].moved[0].first_after == "2026-03-13"
    assert not found.why_not


def test_without_a_reference_history_is_told_as_it_is(tmp_path: Path) -> None:
    path = nights(tmp_path / "nights.csv", count=3, moves_at=1)
    rows = [line for line in path.read_text().splitlines(keepends=True) if "pplcnet" in line or "run_id" in line]
    path.write_text("".join(rows))
    found = gather([str(path)]).nights
    assert [(s.model, s.raw, s.moved) for s in found.series] == [("pplcnet", True, ())]


def test_a_folder_is_searched_for_everything(tmp_path: Path) -> None:
    data = gather(everything(tmp_path))
    assert data.points
    assert data.breakdown
    assert data.nights.series
    assert data.findings
    assert sum(r["ms"] for r in data.breakdown) == pytest.approx(4.0)


def test_profiles_alone_make_a_report(tmp_path: Path) -> None:
    profile(tmp_path / "p.json")
    (tmp_path / "other.json").write_text('{"profile": 3}')
    data = gather([str(tmp_path)])
    assert headline(data) == "shufflenetv2 on onnxruntime takes 4 ms, 62% of it in conv 1x1."
    assert any("other.json" in note for note in data.notes)


@pytest.mark.parametrize("name", ["broken.json", "broken.jsonl", "broken.csv"])
def test_a_file_that_was_named_must_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("nothing of use\n")
    with pytest.raises(OutputError):
        gather([str(tmp_path / name)])


def test_nothing_is_one_line(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UsageError, match="there"):
            gather([str(source)])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(OutputError, match="no rows"):
        gather([str(tmp_path)])


def test_rows_of_an_old_schema(tmp_path: Path) -> None:
    path = two_targets(tmp_path / "r.csv")
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    old = ["run_id", "status", "model", "backend", "macs", "latency_ms", "schema_version"]
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, old, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"schema_version": "1"} for row in rows if row["latency_ms"])
    data = gather([str(path)])
    assert data.points
    assert data.inverted.near == 0  # no intervals, so nothing is claimed of pairs
    assert headline(data) == "No case here has a latency that may be believed."


def test_more_cases_than_a_page_draws_are_sampled_and_said(tmp_path: Path) -> None:
    from bench.report.html.cases import NUMBERS, TEXTS
    from bench.rows.frame import Rows, load

    path = write(tmp_path / "r.csv", [row(5)])
    header, line = path.read_text().splitlines()
    many = [line.replace("net,", f"net{i},", 1) for i in range(MOST + 10)]
    path.write_text("\n".join([header, *many]) + "\n")
    found = cases(Rows(load([str(path)], TEXTS, NUMBERS).frame))
    assert found.sampled
    assert found.found == MOST + 10
    assert MOST / 3 < len(found.rows) <= MOST


def test_names_stand_where_they_cover_nothing() -> None:
    free = sides([(1, 1, "one"), (190, 100, "two")], (0.5, 200), (0.5, 200), (600, 400))
    assert free == ["right", "left"]  # right of the second the plot ends
    assert sides([(1, 1, "one"), (5, 90, "one")], (0.5, 200), (0.5, 200), (600, 400)) == ["right", ""]  # once
    crowded = sides([(10 + i / 10, 10, f"name {i}") for i in range(9)], (1, 100), (1, 100), (600, 400))
    assert "" in crowded
    assert len(set(crowded)) > 3
    assert set(crowded) <= {*SIDES, ""}
    assert sides([(10, 10, "one")] * 3, (1, 100), (1, 100), (600, 400), most=0) == ["", "", ""]


def test_profiles_of_other_inputs_of_a_model_are_others(tmp_path: Path) -> None:
    """Batch 1 and batch 8 of one network were one bar, whichever file came last."""
    for batch, resolution in ((1, 224), (8, 224), (1, 128)):
        path = profile(tmp_path / f"{batch}-{resolution}.json")
        changed = json.loads(path.read_text())
        changed["profile"] |= {"batch": batch, "resolution": resolution}
        path.write_text(json.dumps(changed))
    assert len({one.name for one in gather([str(tmp_path)]).profiles}) == 3


def test_many_settings_have_short_names_and_the_page_says_what_they_leave_out(tmp_path: Path) -> None:
    rows = [
        row(
            5.0 + i,
            model=model,
            backend=backend,
            threads=threads,
            precision_effective=precision,
            precision=precision,
            cpu_id=cpu,
        )
        for i, (backend, threads, precision, cpu) in enumerate(
            [
                *((b, 1, "fp32", "family=25 model=17 stepping=1") for b in ("onnxruntime", "openvino", "ncnn")),
                ("openvino:precision=bf16", 1, "bf16", "family=25 model=17 stepping=1"),
                ("ncnn:precision=bf16", 1, "bf16", "family=25 model=17 stepping=1"),
                ("ncnn:precision=bf16", 1, "", "family=25 model=17 stepping=1"),
                ("onnxruntime", 2, "fp32", "family=25 model=17 stepping=1"),
                ("onnxruntime", 1, "fp32", "family=26 model=2 stepping=1"),
            ]
        )
        for model in ("a", "b")
    ]
    found = gather([str(write(tmp_path / "r.csv", rows))])
    assert {point["setting"] for point in found.points} == {
        "onnxruntime", "openvino", "ncnn", "openvino:precision=bf16", "ncnn:precision=bf16",
        "ncnn:precision=bf16, unknown", "onnxruntime, threads 2", "onnxruntime, family=26 model=2",
    }  # fmt: skip
    said = next(line for line in lead(found) if line.startswith("Where the name of a setting"))
    assert said.endswith(": fp32, threads 1, family=25 model=17.")
    few = gather([str(write(tmp_path / "few.csv", rows[:4]))])
    assert not any("name of a setting" in line for line in lead(few))


def test_what_is_compressed_is_found_in_a_folder_and_by_name(tmp_path: Path) -> None:
    plain = profile(tmp_path / "in" / "p.json")
    packed = {}
    for name, content in (("p.json.gz", plain.read_bytes()), ("e.jsonl.gz", EVIDENCE.read_bytes())):
        packed[name] = tmp_path / "packed" / name
        packed[name].parent.mkdir(exist_ok=True)
        packed[name].write_bytes(gzip.compress(content))
    (tmp_path / "packed" / "torn.jsonl.gz").write_bytes(packed["e.jsonl.gz"].read_bytes()[:50])
    for sources in ([str(tmp_path / "packed")], [str(path) for path in packed.values()]):
        found = gather(sources)
        assert [one.model for one in found.profiles] == ["shufflenetv2"]
        assert len(found.findings) > 300
    packed["p.json.gz"].write_bytes(packed["p.json.gz"].read_bytes()[:-20])
    with pytest.raises(OutputError, match="no JSON"):
        gather([str(packed["p.json.gz"])])


def test_the_profiles_that_are_kept_show_where_the_time_goes() -> None:
    folder = Path(__file__).parents[2] / "results" / "epyc-vm-2core" / "profiles"
    found = gather([str(folder)])
    assert {one.model for one in found.profiles} == {path.name.removesuffix(".json.gz") for path in folder.iterdir()}
    assert len(found.profiles) >= 4
    for one in found.profiles:
        assert sum(ms for *_, ms, _ in one.parts) == pytest.approx(one.latency_ms)
