"""The readers of published tables and what they say about figures, on small tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.papers.figures import parse_counting
from bench.papers.published import (
    LATENCY_COLUMNS,
    NETWORK_COLUMNS,
    Counting,
    Counts,
    Printed,
    call_ms,
    macs_within,
    params_within,
    read_latencies,
    read_networks,
    rounding,
)
from bench.papers.tables import TableError

GOOD = "mobilenetv1,1.0 MobileNet-224,224,4.2,569,70.6,MobileNet V1 Table 8,text,conv+fc,"
SPEED = "gtx-1080ti,GTX 1080Ti,cudnn,shufflenetv2,1x,224,8,,,2.9326,2728,341,batches/s,ShuffleNet V2,text,"
COUNTS = Counts(params=4_231_976, bn_params=21_888, macs_conv=567_716_352, macs_fc=1_024_000, bn_elements=5_042_688)


def networks_csv(folder: Path, *lines: str, header: str = ",".join(NETWORK_COLUMNS)) -> Path:
    path = folder / "paper.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def latencies_csv(folder: Path, *lines: str) -> Path:
    return networks_csv(folder, *lines, header=",".join(LATENCY_COLUMNS))


@pytest.mark.parametrize(
    ("text", "counting", "half"),
    [
        ("5.4", "", 0.05),
        ("146", "conv+fc", 0.5),
        ("0.470", "", 0.0005),
        ("3800", "conv+fc round=100", 50.0),
        ("12", "round=0.5", 0.25),
    ],
)
def test_rounding_is_half_a_unit_of_the_last_printed_place(text: str, counting: str, half: float) -> None:
    assert rounding(text, counting) == half


def test_a_figure_holds_to_the_edge_of_its_rounding_and_not_beyond() -> None:
    figure = Printed("5.4", 0.05)
    assert [figure.holds(x) for x in (5.35, 5.45, 5.349, 5.451)] == [True, True, False, False]
    assert figure.off(5.508) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("counting", "macs_m", "params_m"),
    [
        ("conv+fc", 568.740352, 4.231976),
        ("conv", 567.716352, 4.231976),
        ("conv+fc+bn2", 578.825728, 4.231976),
        ("conv+fc nobn", 568.740352, 4.210088),
    ],
)
def test_counting_tokens_choose_what_counts(counting: str, macs_m: float, params_m: float) -> None:
    convention = parse_counting(counting)
    assert convention.macs_m(COUNTS) == pytest.approx(macs_m)
    assert convention.params_m(COUNTS) == pytest.approx(params_m)


@pytest.mark.parametrize("text", ["conf", "conv+conv", "conv fc", "round=", "round=x", "round=0", "round", "conv+"])
def test_an_unknown_counting_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        parse_counting(text)


def test_a_row_of_networks_is_typed(tmp_path: Path) -> None:
    (row,) = read_networks(networks_csv(tmp_path, GOOD))
    assert (row.model, row.resolution, row.top1, row.table) == ("mobilenetv1", 224, 70.6, "paper")
    assert row.params == Printed("4.2", 0.05)
    assert row.macs == Printed("569", 0.5)
    assert row.counting == Counting(("conv", "fc"))
    assert params_within(row, COUNTS) is True
    assert macs_within(row, COUNTS) is True


def test_a_figure_that_is_not_printed_is_not_judged(tmp_path: Path) -> None:
    (row,) = read_networks(networks_csv(tmp_path, GOOD.replace(",4.2,569,", ",,,")))
    assert params_within(row, COUNTS) is None
    assert macs_within(row, COUNTS) is None


def test_a_count_outside_the_rounding_is_noticed(tmp_path: Path) -> None:
    (row,) = read_networks(networks_csv(tmp_path, GOOD.replace(",4.2,569,", ",4.3,575,")))
    assert params_within(row, COUNTS) is False
    assert macs_within(row, COUNTS) is False


def test_a_coarse_place_is_that_of_the_macs(tmp_path: Path) -> None:
    both, alone = read_networks(
        networks_csv(
            tmp_path,
            "resnet50,ResNet-50,224,25.6,3800,,paper,text,conv+fc round=100,",
            "vgg16,VGG-16,224,138,,,paper,text,round=2,",
        )
    )
    assert both.params == Printed("25.6", 0.05)
    assert both.macs == Printed("3800", 50.0)
    assert alone.params == Printed("138", 1.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD + ",", "line 2: 11 cells instead of 10"),
        (GOOD.replace("224,4.2", "big,4.2"), "line 2, resolution: 'big' is not a whole number"),
        (GOOD.replace("224,4.2", "-1,4.2"), "line 2, resolution: '-1' is not a whole number"),
        (GOOD.replace("4.2", "4.2M"), "line 2, params_m: '4.2M' is not a plain number"),
        (GOOD.replace("569", "5.7e2"), "line 2, macs_m: '5.7e2' is not a plain number"),
        (GOOD.replace("569", "nan"), "line 2, macs_m: 'nan' is not a plain number"),
        (GOOD.replace("70.6", "170.6"), "line 2, top1: 170.6 lies outside 0 to 100"),
        (GOOD.replace("text", "hearsay"), "line 2, verified: 'hearsay' is none of text, figure, derived"),
        (GOOD.replace("conv+fc", "flops"), "line 2, counting: 'flops' in 'flops' is none of"),
        (GOOD.replace("conv+fc", ""), "line 2, counting: macs_m is given, but not what it counts"),
        (GOOD.replace("4.2,569,70.6", ",,"), "line 2, params_m: the row has neither"),
        (GOOD.replace("1.0 MobileNet-224", ""), "line 2, label: must not be empty"),
        (GOOD.replace("1.0 MobileNet", "\x1b[31mMobileNet"), "line 2, label: .* holds a control character"),
        ('"' + GOOD, "paper.csv, line 2: unexpected end of data"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read_networks(networks_csv(tmp_path, line))
    assert caught.value.message.startswith("paper.csv, line 2")
    assert caught.value.message.isprintable()


def test_a_wrong_header_a_missing_file_and_other_encodings_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"paper\.csv: the columns are not model,label"):
        read_networks(networks_csv(tmp_path, header="model,macs"))
    with pytest.raises(TableError, match=r"gone\.csv cannot be read"):
        read_networks(tmp_path / "gone.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes(networks_csv(tmp_path, GOOD).read_bytes() + "müde".encode("latin-1"))
    with pytest.raises(TableError, match=r"latin\.csv cannot be read"):
        read_networks(latin)


@pytest.mark.parametrize(
    ("value", "unit", "batch", "expected"),
    [(12.5, "ms", 8, 12.5), (0.098, "s", 1, 98.0), (417.0, "batches/s", 8, 2.39808), (57.0, "images/s", 1, 17.54386)],
)
def test_a_printed_speed_becomes_the_time_of_one_call(value: float, unit: str, batch: int, expected: float) -> None:
    assert call_ms(value, unit, batch) == pytest.approx(expected, rel=1e-5)


def test_a_row_of_latencies_is_typed(tmp_path: Path) -> None:
    wide = SPEED.replace(",224,8,,", ",480x640,8,10,")
    square, oblong = read_latencies(latencies_csv(tmp_path, SPEED, wide))
    assert (square.resolution, square.batch, square.threads, square.latency_ms) == ((224, 224), 8, None, 2.9326)
    assert (oblong.resolution, oblong.threads) == ((480, 640), 10)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (SPEED.replace("2.9326", "2.5"), "latency_ms: 2.5 does not follow from 341 batches/s at batch 8"),
        (SPEED.replace("2728", "341"), "images_per_s: 341 does not follow"),
        (SPEED.replace("batches/s", "fps"), "published_unit: 'fps' is none of ms, s, images/s, batches/s"),
        (SPEED.replace(",224,8", ",224 px,8"), "resolution: '224 px' is not a size"),
        (SPEED.replace("gtx-1080ti,", ","), "target: must not be empty"),
        (SPEED.replace("341,", "0,"), "published_value: 0 lies outside"),
    ],
)
def test_a_broken_latency_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_latencies(latencies_csv(tmp_path, line))
