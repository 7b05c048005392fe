"""Plug-ins that are broken: each costs itself and nothing else, and says why in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import backends
from bench.base.errors import BenchError, MissingExtra
from tests.backends.plugins import WORKS, Plugins
from tests.conftest import Bench, one_line_error

BROKEN = {
    "syntax": ("class P(", "SyntaxError"),
    "import": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "exit": ("sys.exit('not today')", "SystemExit: not today"),
    "none": ("", "AttributeError"),
    "stranger": ("class P: name = NAME", "P is no subclass of bench.backends.base.Backend"),
    "abstract": ("class P(Backend): name, title = NAME, 'x'", "abstract method"),
    "raises": (WORKS + "    def __init__(self): raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "name": (WORKS.replace("NAME", "'other'"), "its name is 'other', and that of its entry point 'name'"),
    "title": (WORKS + "    title = 7", "`title` is no text"),
    "modules": (WORKS + "    modules = 'onnx'", "`modules` is no tuple of texts"),
    "parameters": (WORKS + "    parameters = {'a': 1}", "`parameters` is no dict of Parameter"),
    "python": (WORKS + "    parameters = parameters(Parameter('python', ''))", "'python' is every backend's own"),
    "default": (WORKS + "    parameters = parameters(Parameter('a', 1, choices=(2,)))", "not among its choices"),
    "capable": (WORKS + "    capabilities = {'graph': True}", "`capabilities` is no"),
    "flag": (WORKS + "    capabilities = Capabilities(graph='yes')", "capabilities.graph is neither True nor False"),
    "takes": (WORKS + "    capabilities = Capabilities(takes='tflite')", "capabilities.takes is none of onnx, module"),
    "probes": (WORKS + "    capabilities = Capabilities(probes=True)", "capabilities.probes needs `graph`"),
    "kernels": (WORKS + "    capabilities = Capabilities(kernels=True)", "capabilities.kernels needs kernels()"),
    "converts": (WORKS + "    capabilities = Capabilities(conversion=Conversion())", "conversion needs prepare()"),
    "option": (
        WORKS + "    capabilities = Capabilities(conversion=Conversion(options=('x',)))\n    def prepare(s, *_): 0",
        "names the option 'x', which it has not",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_says_why(name: str, plugins: Plugins) -> None:
    source, said = BROKEN[name]
    plugins.add(name, source)
    with pytest.raises(BenchError) as found:
        backends.resolve(name)
    assert found.value.message.startswith(f"the backend '{name}' of plug-{name} is broken: ")
    assert said in found.value.message
    assert "\n" not in found.value.message
    assert name not in [backend.name for backend in backends.working()]
    assert backends.get("fake").name == "fake"


def only_row(bench: Bench, tiny: Path, spec: str) -> dict[str, object]:
    """Run the tiny network once on a backend; return its row."""
    ran = bench("run", "--model", tiny, "--backend", spec, "--launches", "1", "--budget", "0.5", "--format", "json")
    (row,) = json.loads(ran.stdout)
    return dict(row)


def test_the_others_are_listed_and_run(plugins: Plugins, bench: Bench, tiny: Path) -> None:
    plugins.add("halfway", BROKEN["import"][0])
    plugins.add("missing", f'{WORKS}    modules, packages = ("no_such.runtime",), ("no-such-runtime",)\n')
    plugins.add("works", WORKS)
    listed = bench("list", "backends", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    rows = {row["backend"]: row for row in json.loads(listed.stdout)}
    assert rows["halfway"]["installed"] == "broken"
    assert "No module named 'no_such_module'" in rows["halfway"]["runtime"]
    assert rows["missing"]["installed"] == "pip install no-such-runtime"
    assert rows["works"]["installed"] == rows["onnxruntime"]["installed"] == "yes"
    assert rows["onnxruntime"]["version"]
    assert "No module named" in one_line_error(bench("run", "--model", tiny, "--backend", "halfway"))
    row = only_row(bench, tiny, "works")
    assert row["status"] in ("ok", "noisy"), row["error"]


def test_all_that_come_along_tell_version_converter_and_precisions(bench: Bench) -> None:
    rows = {row["backend"]: row for row in json.loads(bench("list", "backends", "--format", "json").stdout)}
    converts = {"ncnn": "pnnx", "mnn": "MNN", "litert": "litert-torch", "executorch": "executorch"}
    for name in ("onnxruntime", "openvino", "torch", *converts):
        assert "fp32" in rows[name]["precisions"].split()
        assert rows[name]["converter"].partition(" ")[0] == converts.get(name, "")
        assert bool(rows[name]["version"]) == (rows[name]["installed"] == "yes")
    assert {"fp16", "bf16"} <= set(rows["openvino"]["precisions"].split())


def test_what_cannot_tell_its_graph_has_no_macs_executed(plugins: Plugins, bench: Bench, tiny: Path) -> None:
    plugins.add("blind", WORKS)
    row = only_row(bench, tiny, "blind")
    assert row["macs"] > 0
    assert row["macs_executed"] is None
    assert row["threads_effective"] is None
    assert "folded" not in row["error"]
    said = one_line_error(bench("roofline", "--backend", "blind"))
    assert "does not run the probes" in said
    assert "onnxruntime, openvino, torch have one" in said
    said = one_line_error(bench("profile", tiny, "--backend", "blind"))
    assert "cannot tell the time of an operator" in said


def test_what_ran_elsewhere_is_downgraded(bench: Bench, tiny: Path) -> None:
    row = only_row(bench, tiny, "fake:placed=0.75")
    assert row["status"] == "downgraded"
    assert row["error"].startswith("only 75.0% of the operators and 75.0% of the MACs ran on fake (elsewhere: ")


def test_what_ran_elsewhere_fails_where_the_device_is_required(bench: Bench, tiny: Path) -> None:
    (row,) = json.loads(required(bench, tiny, "fake:placed=0.75", code=1))
    assert row["status"] == "failed"
    assert row["error"].startswith("the device was required, and only 75.0% of the operators")
    assert (row["on_device_operators"], row["on_device_macs"]) == (0.75, 0.75)
    (row,) = json.loads(required(bench, tiny, "fake", code=0))
    assert (row["status"], row["on_device_operators"]) == ("ok", 1.0)


def test_a_suite_may_require_the_device(bench: Bench, tiny: Path) -> None:
    text = f'models = ["{tiny}"]\nbackends = ["fake:placed=0.5"]\nrequire_device = true\n'
    (tiny.parent / "npu.toml").write_text(text, "utf-8")
    (row,) = json.loads(bench("run", "--suite", tiny.parent / "npu.toml", "--format", "json").stdout)
    assert row["status"] == "failed"


def required(bench: Bench, tiny: Path, backend: str, code: int) -> str:
    result = bench("run", "--model", tiny, "--backend", backend, "--require-device", "--format", "json")
    assert result.returncode == code, result.stderr
    return result.stdout


def test_a_real_fallback_is_downgraded(bench: Bench, tiny: Path) -> None:
    """A provider that has no kernel for any of these operators: the CPU's run, as with a CUDA that lacks one."""
    ort = pytest.importorskip("onnxruntime")
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this build of onnxruntime has no second provider")
    spec = "onnxruntime:provider=azure"
    row = only_row(bench, tiny, spec)
    assert row["status"] == "downgraded"
    assert "ran on AzureExecutionProvider (elsewhere: Conv on CPUExecutionProvider" in row["error"]


def test_a_provider_that_the_build_lacks_is_one_line(bench: Bench, tiny: Path) -> None:
    row = only_row(bench, tiny, "onnxruntime:provider=qnnx")
    assert row["status"] == "unsupported"
    assert "no execution provider 'qnnx'" in row["error"]


def test_load_must_return_a_session(plugins: Plugins, bench: Bench, tiny: Path) -> None:
    plugins.add("odd", WORKS.replace("return S(artifact)", "return 7"))
    row = only_row(bench, tiny, "odd")
    assert row["status"] == "unsupported"
    assert "load() returned a int, no Session" in row["error"]


def test_ours_keeps_its_name_and_two_strangers_lose_theirs(plugins: Plugins) -> None:
    plugins.add("fake", WORKS, package="impostor")
    plugins.add("twin", WORKS, package="one")
    plugins.add("twin", WORKS, package="two")
    assert backends.get("fake").capabilities.scripted
    with pytest.raises(BenchError, match="one and two both name one so"):
        backends.get("twin")


@pytest.mark.parametrize(
    ("members", "hint"),
    [
        ('modules = ("no_such",)', "pip install no_such"),
        ('modules, packages = ("no_such",), ("no-such", "its-tools")', "pip install no-such its-tools"),
        ('modules, extra = ("no_such.deep.module",), "mine"', "pip install 'isoflops[mine]'"),
    ],
)
def test_the_hint_installs_something(members: str, hint: str, plugins: Plugins) -> None:
    plugins.add("gone", f"{WORKS}    {members}\n")
    with pytest.raises(MissingExtra) as found:
        backends.resolve("gone")
    assert found.value.hint == hint
    assert backends.resolve("gone", here=False).name == "gone"
