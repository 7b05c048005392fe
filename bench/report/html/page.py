"""The report as one HTML file: everything inline, no network, no eval."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from bench import __version__
from bench.base.errors import MissingExtra
from bench.base.escape import script_json
from bench.base.words import counted, verb
from bench.report.html import markup
from bench.report.html.data import Data
from bench.report.html.facets import DIMENSIONS
from bench.report.html.headline import headline, lead
from bench.report.html.pairs import MOST_DRAWN
from bench.report.html.runs import COLUMNS, Run

if TYPE_CHECKING:
    from bench.report.html.charts.theme import Drawn

WORDS = {"hypervisor": "virtual machine", "isoflops_version": "isoflops", "backend": "runtimes"}


def need_charts() -> None:
    """Make sure that charts can be drawn.

    Raises:
        MissingExtra: Altair or vl-convert is not installed.
    """
    try:
        import altair
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtra("Altair with vl-convert (charts)", "report") from error
    del altair


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, of the version that Altair writes for."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_version())
    # It holds no such text today; if it ever does, the page must break here and not there.
    assert "</script" not in script.lower()
    assert "<!--" not in script
    return script


def compiled(spec: dict[str, object]) -> dict[str, object]:
    """Turn Vega-Lite into Vega here, so that no page has to; its warnings concern heights that are meant."""
    import vl_convert

    found: dict[str, object] = vl_convert.vegalite_to_vega(spec, vl_version=_version(), show_warnings=False)
    return found


def _version() -> str:
    import altair

    return re.sub(r"^v(\d+\.\d+).*", r"\1", altair.SCHEMA_VERSION)


def page(data: Data) -> str:
    """Write the report."""
    from bench.report.html.views import VIEWS, section

    charts = {view.id: view.chart.chart(data, "container") for view in VIEWS}
    store = _store(data, {id: chart for id, chart in charts.items() if chart is not None})
    views = "\n".join(section(view, data, charts[view.id]) for view in VIEWS)
    head = [f"<h1>{markup.text(headline(data))}</h1>"]
    head += [f'<p class="lead">{markup.text(line)}</p>' for line in lead(data)]
    return _assemble(headline(data), "\n".join(head), _filters(data), views, _foot(data), store)


def single(data: Data, id: str) -> str:
    """Write one view as a page of its own."""
    from bench.report.html.views import VIEWS, section

    view = next(view for view in VIEWS if view.id == id)
    chart = view.chart.chart(data, "container")
    store = _store(data, {} if chart is None else {id: chart})
    return _assemble(view.chart.TITLE, "", _filters(data), section(view, data, chart), "", store)


def _assemble(title: str, head: str, filters: str, views: str, foot: str, store: dict[str, object]) -> str:
    folder = files("bench.report.html")
    css, script, template = (folder.joinpath(f"page.{end}").read_text("utf-8") for end in ("css", "js", "html"))
    hashes = " ".join(f"'sha256-{_hash(text)}'" for text in (bundle(), script))
    # Vega writes styles into the elements that it makes, so styles may be inline; scripts may be these two alone.
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(template).substitute(
        policy=policy, version=__version__, title=markup.text(title), css=css, head=head, filters=filters, views=views,
        foot=foot, data=script_json(store), bundle=bundle(), script=script,
    )  # fmt: skip


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _store(data: Data, charts: dict[str, Drawn]) -> dict[str, object]:
    """Return what the page's script reads: charts without their records, records by name, subjects of the filter."""
    from bench.report.html.views import agreement

    specs: dict[str, object] = {}
    datasets: dict[str, object] = {}
    for id, drawn in charts.items():
        specs[id] = {"spec": compiled(drawn.skeleton()), "names": list(drawn.records)}
        datasets |= drawn.records
    if "inversions" in datasets:
        datasets["inversions"] = list(data.inverted.records)
    if "ranks" in datasets:
        datasets["ranks"] = [list(order.records) for order in data.orders]
    if "slopes" in datasets:
        datasets["slopes"] = [list(one.records) for one in data.slopes]
    for name in ("nights", "levels", "moves"):
        datasets.pop(name, None)
    return {
        "facets": data.facets.record(),
        "cases": len(data.cases.rows),
        "charts": specs,
        "datasets": datasets,
        "most": MOST_DRAWN,
        "said": {
            "ranks": [agreement(order) for order in data.orders],
            "slopes": [one.told for one in data.slopes],
        },
        **(_series(data) if "history" in charts else {"series": [], "dates": []}),
    }


def _series(data: Data) -> dict[str, object]:
    """Return the series over the nights, dates as numbers into one list."""
    from bench.report.html.charts.history import level_records, move_records

    dates = sorted({day for s in data.nights.series for day in s.days})
    place = {day: i for i, day in enumerate(dates)}
    series = [
        {"on": subject, "days": [place[day] for day in s.days], "ms": list(s.ms), "levels": level_records(s),
         "moves": move_records(s)}
        for s, subject in zip(data.nights.series, data.night_subjects, strict=True)
    ]  # fmt: skip
    return {"series": series, "dates": dates}


def _filters(data: Data) -> str:
    """Write a control for every dimension that has a choice."""
    parts = []
    for name in DIMENSIONS:
        values = data.facets.values[name]
        if len(values) < 2:
            continue
        box = f'<input type="checkbox" checked data-dimension="{name}"'
        boxes = "".join(
            f'<label>{box} value="{code}"> {markup.text(value)}</label>'
            for code, value in sorted(enumerate(values), key=lambda item: _natural(item[1]))
        )
        both = '<button type="button" data-all="1">all</button> <button type="button" data-all="0">none</button>'
        parts.append(
            f'<details class="filter" id="filter-{name}"><summary>{name}: <span>all</span></summary><fieldset>'
            f'<legend>Show cases with this {name}</legend>{boxes}<div class="all">{both}</div></fieldset></details>'
        )
    if not parts:
        return ""
    status = '<output id="shown" role="status"></output>'
    return f'<nav class="filters" aria-label="Filter"><form id="filters">{"".join(parts)}{status}</form></nav>'


def _natural(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (1 << 40, text)


def _foot(data: Data) -> str:
    parts = ["<h2>How it was measured</h2>"]
    method = (
        "Each latency is the geometric mean over fresh processes of each one's median, told for the machine at its "
        "usual speed, on buffers that stay, with the 95% interval of what another run would find; cases take turns. "
        "`ok` is an interval within ±10%, the precision that was asked for, and an output like PyTorch's; `noisy` has "
        "a wider interval; all else is not to "
        "be quoted. MACs are counted in the graph; FLOPs are twice the MACs."
    )
    parts.append(f"<p>{markup.code(method)}</p>")
    parts += [_run(run) for run in data.runs.shown[:2]]
    if len(data.runs.shown) > 2:
        rest = "".join(_run(run) for run in data.runs.shown[2:])
        left = data.runs.found - len(data.runs.shown)
        more = f"<p>{counted(left, 'older run')} {verb(left, 'is', 'are')} not listed.</p>" if left else ""
        parts.append(markup.details(counted(len(data.runs.shown) - 2, "more run"), rest + more))
    if data.notes:
        parts.append("<h3>What was met when reading</h3>" + _list(data.notes))
    parts.append(f"<p>Made by isoflops {markup.text(__version__)}.</p>")
    return "\n".join(parts)


def _run(run: Run) -> str:
    pairs = [("cases", f"{run.rows}, {run.ok} ok"), ("processes per case", run.launches)]
    pairs += [(WORDS.get(name, name), run.environment[name]) for name in COLUMNS if run.environment.get(name)]
    pairs.append(("schema", run.schema))
    listed = "".join(f"<dt>{markup.text(k)}</dt><dd>{markup.text(v)}</dd>" for k, v in pairs)
    warned = f'<p class="warn">Mind: {markup.text("; ".join(run.warnings))}.</p>' if run.warnings else ""
    return f"<h3>Run {markup.text(run.name)}, {markup.text(run.started)}</h3><dl>{listed}</dl>{warned}"


def _list(lines: Sequence[str]) -> str:
    return '<ul class="said">' + "".join(f"<li>{markup.text(line)}</li>" for line in lines) + "</ul>"
