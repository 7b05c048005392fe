"""The prediction beside a measurement: where a machine has a table, each catches a mistake in the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from bench.base.errors import BenchError, MissingExtra
from bench.base.words import counted
from bench.plan.case import Case, Plan, Settings
from bench.predict.place import Place
from bench.predict.predictor import Prediction, Predictor
from bench.predict.regressor import forest
from bench.predict.table import recall
from bench.predict.train import context, list_networks, predictable
from bench.rows.schema import MEASURED, Row
from bench.transport.base import Transport

FAR = 2.0  # half-widths of the 90% interval from which one of the two is wrong


def beside(
    plan: Plan, rows: Sequence[Row], transport: Transport, cores: Sequence[int], tell: Callable[[str], None]
) -> list[str]:
    """Return a line for each measured row of a case that a table here can predict, and none for the others.

    The table in its file stays as it is.
    """
    of = {case.id: case for case in plan.cases}
    able = [row for row in rows if row.status in MEASURED and row.latency_ms and _plain(of.get(row.case_id))]
    lines = []
    try:
        forest(0)
    except MissingExtra:  # trained by another installation, which had what predicting needs
        return []
    predictors: dict[tuple[str, int], Predictor | None] = {}  # trees are fitted once for all rows of a table
    for row in able:
        case = of[row.case_id]
        key = (case.backend.canonical, case.settings.threads)
        try:
            if key not in predictors:
                table = recall(context(case.backend, case.settings.threads, transport))
                predictors[key] = Predictor(table) if table.calibration else None
            predictor = predictors[key]
            if predictor is None:
                continue
            table = predictor.table
            tell(f"predicting {row.model}")
            list_networks(table, Plan((case,), plan.protocol), case.backend, tell, Place(transport, cores), save=False)
            lines.append(told(row, predictor.predict(table.networks[str(case.network)])))
        except BenchError:  # what a prediction lacks is no matter of the measurement
            continue
    return lines


def told(row: Row, predicted: Prediction) -> str:
    """Say a row's prediction in a line, and that one of the two is wrong where they are far apart."""
    text = f"{row.model} on {row.backend}: predicted {_ms(predicted.latency_ns)}"
    if predicted.lo_ns is None or predicted.hi_ns is None:
        return f"{text}, with {counted(len(predicted.sums.unknown), 'operator')} unknown"
    text += f" ({_ms(predicted.lo_ns)} to {_ms(predicted.hi_ns)}), measured {_ms((row.latency_ms or 0) * 1e6)}"
    half = math.log(predicted.hi_ns / predicted.latency_ns)
    if abs(math.log((row.latency_ms or 1) * 1e6 / predicted.latency_ns)) > FAR * half:
        return f"{text}: far outside, a mistake in one of them"
    return text


def _plain(case: Case | None) -> bool:
    """Tell whether a case is what tables are of: one inference at a time, at full speed."""
    return case is not None and case.settings == Settings(case.settings.threads) and predictable(case.backend.name)


def _ms(ns: float) -> str:
    return f"{ns / 1e6:.3g} ms"
