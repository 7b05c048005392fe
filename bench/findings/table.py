"""Results as a CSV beside the evidence, and the results that a file of evidence holds."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.backends import resolve
from bench.base.errors import BenchError, OutputError, first_line
from bench.base.escape import csv_value
from bench.findings.catalog import threaded
from bench.findings.evaluate import Result, evaluate
from bench.findings.finding import Finding
from bench.findings.store import Evidence
from bench.stats.ratio import CONFIDENCE


def write_csv(path: Path, results: Sequence[Result]) -> None:
    """Write one line per result; OutputError where that fails."""
    records = [result.record() for result in results]
    try:
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(records[0]) if records else ["id"], lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: csv_value(value) for name, value in one.items()} for one in records)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}", "choose another --output") from error


def judged(findings: Iterable[Finding], evidence: Evidence, confidence: float = CONFIDENCE) -> list[Result]:
    """Judge evidence on the backends that it has; experiments that nobody has measured are left out.

    Their runtimes need not be installed here.

    Raises:
        OutputError: a backend of the evidence is unknown here, so that its cases cannot be named; or a figure in it is
            none.
    """
    try:
        lines = [*evidence.replicates, *(line for lines in evidence.shares.values() for line in lines)]
        specs = list(dict.fromkeys(line["backend"] for line in lines)) or ["onnxruntime"]
        refs = [resolve(spec, here=False) for spec in specs]
        # What was published on several threads was measured on one, and perhaps on as many as there are.
        several = sorted({int(line.get("threads", 1)) for line in evidence.replicates} - {1})
        both = [one for f in findings for one in (f, *(t for n in several for t in threaded([f], n)))]
        found = evaluate(both, refs, evidence, confidence)
    except BenchError as error:
        raise OutputError(f"the evidence cannot be read: {error.message}", error.hint) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        hint = "`bench findings run` measures it anew"
        raise OutputError(f"the evidence is damaged: {first_line(error)}", hint) from error
    return [r for r in found if not r.reason.startswith("not ") or not r.finding.runnable]
