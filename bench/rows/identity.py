"""Which rows are the same case, machine or run: the one place that says so, from the roles of the schema's columns.

| key     | columns                                          | rows that are alike in them                         |
| ------- | ------------------------------------------------ | --------------------------------------------------- |
| case    | role ``case``                                    | answer one question                                 |
| machine | role ``machine``                                 | come from one machine, or `pooled` one CPU model    |
| cell    | case and machine                                 | are one series, of which the newest row counts      |
| job     | ``run_id`` and machine                           | took turns; devices of a fleet share their `run_id` |
| setting | machine, and case without network, in the        | rank networks against each other                    |
|         | precision that ran instead of the one asked      |                                                     |

A column that is added to the schema with a role needs no line here, nor anywhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.base.errors import UnknownName, UsageError, clip
from bench.base.escape import shortened
from bench.plan.case import Plan
from bench.plan.grammar import CaseText, options
from bench.plan.limit import asked, written
from bench.plan.protocol import LATENCY
from bench.plan.shapes import show as show_shapes
from bench.plan.target import ANY
from bench.plan.zoo import spellings
from bench.rows.cells import cell, text_of
from bench.rows.dates import days
from bench.rows.schema import CASE, ENVIRONMENT, MACHINE, MEASURED, Row

if TYPE_CHECKING:
    import pandas as pd

RUN_ID = "run_id"
POOLED = "pooled"  # the target of rows whose target is not to count
# Of a case, what makes the network; its batch is a choice that settings differ in.
NETWORK = ("model", "resolution", "shapes", "input")
ASKED, RAN = "precision", "precision_effective"

Key = tuple[str, ...]
Numbers = NDArray[np.intp]


@cache
def of_role(role: str) -> Key:
    """Return the columns of a role, in the schema's order."""
    return tuple(f.name for f in fields(Row) if f.metadata["role"] == role)


def case() -> Key:
    """Return the columns that name a case."""
    return of_role(CASE)


def machine() -> Key:
    """Return the columns that name a machine."""
    return of_role(MACHINE)


def cpu() -> Key:
    """Return the columns that name a CPU model: a machine's, without its target."""
    return tuple(name for name in machine() if name != "target")


def environment() -> Key:
    """Return the columns that may explain a difference, and must never be passed over in silence."""
    return of_role(ENVIRONMENT)


def cell_of() -> Key:
    """Return the columns of a case on a machine."""
    return (*case(), *machine())


def job() -> Key:
    """Return the columns that name a job: a fleet's devices share a run_id, and nothing else."""
    return (RUN_ID, *machine())


def setting() -> Key:
    """Return the columns within which latencies of networks stand against each other."""
    return (*machine(), *(name for name in case() if name not in (*NETWORK, ASKED)), RAN)


def numbers(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[Numbers, list[dict[str, str]]]:
    """Return each row's key as a number, and what the numbers mean, by column."""
    found = frame.groupby(list(columns), observed=True, sort=False).ngroup().to_numpy().astype(np.intp)
    _, first = np.unique(found, return_index=True)
    texts = frame[list(columns)].iloc[first].astype(str).to_numpy().tolist()
    return found, [dict(zip(columns, row, strict=True)) for row in texts]


def newest(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Keep the newest row of every key, in order of time.

    Of rows that began at the same time, or say no possible date, the last one counts; one with a date is newer.
    """
    ordered = frame.iloc[np.argsort(np.nan_to_num(days(frame), nan=-np.inf), kind="stable")]
    return ordered[~ordered.duplicated(list(columns), keep="last")]


def pooled(frame: pd.DataFrame) -> pd.DataFrame:
    """Join the targets of one CPU model, for hosted runners, whose labels mean nothing.

    Devices of one run stay apart as jobs: each gets a run of its own.
    """
    import pandas as pd

    found, keys = numbers(frame, (RUN_ID, "target"))
    devices = Counter(key[RUN_ID] for key in keys)
    names = [f"{key[RUN_ID]} on {key['target']}" if devices[key[RUN_ID]] > 1 else key[RUN_ID] for key in keys]
    result = frame.copy()
    codes, categories = pd.factorize(np.array(names, dtype=object)[found])
    result[RUN_ID] = pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype=object))
    result["target"] = pd.Categorical.from_codes(np.zeros(len(frame), dtype=int), categories=pd.Index([POOLED]))
    return result


def finished(rows: Iterable[Row], plan: Plan, here: Mapping[str, str] | None = None) -> dict[str, Row]:
    """Return the rows that a plan need not measure again, by the id of the plan's case.

    Of each case the last row counts, if it was measured, with the plan's seed, against its limits if it has any, and
    kept going if the plan asks for that. A case that any device of a fleet may measure has the row of the one that did.
    `here` names the CPU that is to measure (`cpu`), where known: what another one measured is not measured here.
    """
    limits = written(plan.protocol.limits)
    mine = [row for row in rows if row.seed == plan.protocol.seed and limits in ("", asked(row.limit))]
    mine = [row for row in mine if row.sustain_s or not plan.protocol.sustain_s]
    if here is not None:
        cpus = {name: text_of(cell(here[name])) for name in cpu()}  # as a row tells it
        mine = [row for row in mine if all((getattr(row, name) or "") == text for name, text in cpus.items())]
    ids: dict[str, str] = {}
    for one in plan.cases:
        names = [replace(one, network=replace(one.network, model=model)) for model in spellings(one.model)]
        targets = {row.target for row in mine} if one.target == ANY else set()
        ids |= {case.id: one.id for case in names}
        ids |= {replace(case, target=target).id: one.id for case in names for target in targets}
    ids |= {one.id: one.id for one in plan.cases}
    latest = {ids[row.case_id]: row for row in mine if row.case_id in ids}
    return {id: row for id, row in latest.items() if row.status in MEASURED}


def label(one: Mapping[str, str]) -> str:
    """Name a case as `bench run` does, without what only tells apart what is otherwise alike."""
    extras = [f"{name}={one[name]}" for name in ("threads", "batch") if one.get(name, "") not in ("", "1")]
    extras += [f"pace={one['pace_ms']}ms"] if one.get("pace_ms") else []
    extras += [one["shapes"]] if one.get("shapes") else []
    extras += [f"input={one['input']}"] if one.get("input") else []
    extras += [f"mode={one['mode']}"] if one.get("mode", "") not in ("", LATENCY) else []
    extras += [f"streams={one['streams']}"] if one.get("streams") else []
    return " ".join([one["model"], *(["on", one["backend"]] if one.get("backend") else []), *extras])


def labels(cases: Sequence[Mapping[str, str]]) -> list[str]:
    """Name cases so that no two have the same name: with whatever column alone they differ in."""
    names = [label(one) for one in cases]
    for column in case():
        if len(set(names)) == len(names):
            break
        values: dict[str, set[str]] = {}
        for name, one in zip(names, cases, strict=True):
            values.setdefault(name, set()).add(one.get(column, ""))
        names = [
            f"{n} {column}={one.get(column) or '?'}" if len(values[n]) > 1 else n
            for n, one in zip(names, cases, strict=True)
        ]
    return names


def machine_name(row: Mapping[str, str]) -> str:
    """Name a machine by its CPU; the identity stands beside the name, because virtual machines share names."""
    known = [row[name] for name in ("cpu", "cpu_id") if row.get(name)]
    if len(known) == 2:
        return f"{known[0]} ({known[1]})"
    return "".join(known) or f"unknown {row.get('arch', '')} CPU".replace("  ", " ")


def machine_names(machines: Sequence[Mapping[str, str]]) -> list[str]:
    """Name machines; where several have one CPU, with the target."""
    names = [machine_name(one) for one in machines]
    targets: dict[str, set[str]] = {}
    for name, one in zip(names, machines, strict=True):
        targets.setdefault(name, set()).add(one.get("target", ""))
    return [
        f"{one.get('target') or 'unknown'}: {name}" if len(targets[name]) > 1 else name
        for name, one in zip(names, machines, strict=True)
    ]


def usual(one: Mapping[str, str], but: Collection[str] = ()) -> bool:
    """Tell whether all that a person may choose of a case, `but` for some of it, is at its default."""
    chosen = (option for option in options().values() if option.name not in but)
    return all(one[o.name] in ("", cell(None if o.name == "shapes" else o.default)) for o in chosen)


def match(text: str, told: CaseText, cases: Sequence[Mapping[str, str]]) -> int:
    """Return the number of the case that a text names; `told` is what it says, specs as rows have them.

    Where it fits several, it names the plain one: what the text leaves open is at its default there.

    Raises:
        UnknownName, UsageError: it names none, or more than one.
    """
    given = told.given | ({"shapes": show_shapes(told.given["shapes"])} if "shapes" in told.given else {})
    wanted = {"model": told.model} | ({"backend": told.backend} if told.backend else {})
    wanted |= {name: cell(value) for name, value in given.items()}
    hits = [i for i, one in enumerate(cases) if all(one[key] == value for key, value in wanted.items())]
    if not hits:
        raise UnknownName("case in these rows", text, sorted({f"{c['model']}@{c['backend']}" for c in cases}))
    if len(hits) > 1:
        plain = [i for i in hits if usual(cases[i], (*wanted, "resolution"))]
        hits = plain if len(plain) == 1 else hits
    if len(hits) > 1:
        names = labels([cases[i] for i in hits])
        raise UsageError(
            f"{clip(text)} names {len(hits)} cases",
            f"write MODEL@BACKEND@threads=N...; there are: {'; '.join(names[:4])}",
        )
    return hits[0]


def named(keys: Collection[Key], columns: Sequence[str], alone: Sequence[str]) -> dict[Key, str]:
    """Name settings by what differs between them; a single one by `alone`.

    What other parts of a name tell already is left out.
    """
    distinct = list(dict.fromkeys(keys))
    varying = [i for i in range(len(columns)) if len({key[i] for key in distinct}) > 1]
    for name in ("cpu_id", "arch", "cpu", RAN, "batch"):
        rest = [i for i in varying if columns[i] != name]
        if rest and len({tuple(key[i] for i in rest) for key in distinct}) == len(distinct):
            varying = rest
    varying = varying or [columns.index(name) for name in alone]
    varying.sort(key=lambda i: columns[i] in ("cpu_id", "arch", "cpu"))  # long, and alike: last, where a legend cuts
    short = {i: shortened((told(columns[i], key[i]) for key in distinct), 40) for i in varying}
    return {key: ", ".join(short[i][told(columns[i], key[i])] for i in varying) or "all rows" for key in distinct}


def size(batch: int | None, resolution: int | None) -> str:
    """Write batch and side of a square image as ``8x224``, and ``batch 8`` of what is no such image."""
    many = "?" if batch is None else str(batch)
    return f"{many}x{resolution}" if resolution else f"batch {many}"


def told(column: str, value: str) -> str:
    """Say a value so that it is understood without its column."""
    if column in ("threads", "batch"):
        return f"{column} {value}"
    if column == "pace_ms":
        return f"pace {value} ms" if value else "pace none"
    if column in (*machine(), "backend", RAN):
        return value or "none"
    return f"{column}={value or 'none'}"
