from __future__ import annotations

import pytest

from bench.base.errors import UsageError
from bench.plan.limit import Limit, asked, read, time_ms, written


@pytest.mark.parametrize(
    ("text", "ms"), [("10ms", 10.0), ("0.5s", 500.0), ("800us", 0.8), ("33 MS", 33.0), (".5ms", 0.5)]
)
def test_times(text: str, ms: float) -> None:
    assert time_ms(text) == pytest.approx(ms)


@pytest.mark.parametrize("text", ["", "10", "ms", "-1ms", "0ms", "nan ms", "1e3ms", "2h", "1.2.3ms", "9" * 30 + "s"])
def test_what_is_no_time_is_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        time_ms(text)


@pytest.mark.parametrize("text", ["p98=1ms", "p99", "=1ms", "latency=1ms", "p99<=1ms"])
def test_what_is_no_limit_is_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="is no limit"):
        read(text)


def test_a_row_says_what_was_asked_and_what_was_found() -> None:
    limits = (Limit("latency", 10), read("p99=0.0335s"))
    assert written(limits) == "latency<=10ms p99<=33.5ms"
    assert asked("latency<=10ms (9.1 to 9.3) p99<=33.5ms (12 or more)") == written(limits)
    assert asked(None) == written(()) == ""
