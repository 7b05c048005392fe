"""A cable that is pulled in the middle of a run: nobody at either end is told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench import backends
from bench.measure.runner import Observer, Runner
from bench.plan import target, zoo
from bench.plan.case import Case, cross
from bench.plan.protocol import Protocol
from bench.transport import transport_to
from tests.transport import namespace, sshd
from tests.transport.test_ssh import nothing_left

OUT_S = 10.0


@pytest.mark.slow
@pytest.mark.parametrize("out_s", [3.0, OUT_S])
def test_twenty_cases_and_ten_seconds_without_a_link(tiny: Path, tmp_path: Path, out_s: float) -> None:
    """Out for ten seconds, it is noticed and made anew; for three, TCP sends again what was lost."""
    lacking = sshd.missing() or namespace.missing()
    if lacking:
        pytest.skip(lacking)
    events: list[str] = []
    raw: list[dict[str, Any]] = []
    timers: list[threading.Timer] = []
    specs = [f"fake:latency_ms={i}" for i in range(1, 21)]
    plan = cross(
        [zoo.resolve(str(tiny))],
        [backends.resolve(spec) for spec in specs],
        target="far",
        protocol=Protocol(launches=3, max_launches=3, rounds=2, timeout_s=60),
    )
    with namespace.host() as far:
        server = sshd.start(tmp_path / "sshd", far.address, far.inside)

        def step(case: Case, replicate: int, doing: str) -> None:
            events.append(doing)
            if doing == "measuring" and events.count("measuring") == 60:  # in the middle: 120 blocks in all
                far.cable("down")
                timers.append(threading.Timer(out_s, far.cable, ["up"]))
                timers[0].start()

        begin = time.monotonic()
        try:
            with closing(transport_to(target.resolve(str(server.target("far"))))) as transport:
                rows = list(Runner(plan, observer=Observer(step=step, samples=raw.extend), transport=transport).run())
                run = transport.run  # type: ignore[attr-defined]
        finally:
            server.stop()
        took_s = time.monotonic() - begin
    anew = events.count("connecting anew for")
    print(f"out for {out_s:g} s: {len(rows)} rows in {took_s:.1f} s, connected anew {anew} times")
    assert timers
    assert Counter(row.case_id for row in rows) == Counter(case.id for case in plan.cases)
    assert {(row.status, row.launches, row.blocks) for row in rows} == {("ok", 3, 6)}
    assert set(Counter((launch["case_id"], launch["launch"]) for launch in raw).values()) == {1}
    assert bool(anew) == (out_s == OUT_S)
    assert nothing_left(run)
