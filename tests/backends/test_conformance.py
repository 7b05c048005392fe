"""The conformance kit, on the program's own backends and on some that are wrong in one thing."""

from __future__ import annotations

import pytest

from bench import backends, export
from bench.backends.testing import Nonconforming, check
from bench.base.errors import MissingExtra, UsageError
from bench.plan import zoo
from bench.plan.case import Network
from tests.backends.plugins import WORKS, Plugins


@pytest.mark.parametrize("spec", ["fake", "onnxruntime", "onnxruntime:optimization=basic", "openvino"])
def test_our_own_conform(spec: str) -> None:
    if not backends.installed(backends.get(spec.partition(":")[0])):
        pytest.skip(f"{spec} is not installed")
    report = check(spec)
    assert report.passed
    assert "ok     parity" in str(report)


def test_torch_conforms() -> None:
    pytest.importorskip("torch")
    with pytest.raises(UsageError, match="takes no ONNX file"):
        check("torch")
    report = check("torch", export.ensure(Network(zoo.resolve("shufflenetv2:width=0.5,resolution=64"))))
    (corrupt,) = [c for c in report.checks if c.name == "a corrupt file"]
    assert corrupt.said  # half of the weights


def test_a_provider_that_leaves_everything_to_another_is_found_out() -> None:
    """The wheel from PyPI has a provider that runs none of the standard operators: a real fallback."""
    ort = pytest.importorskip("onnxruntime")
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this build of onnxruntime has no second provider")
    with pytest.raises(Nonconforming, match=r"FAILED read-back: only 0\.0% of the operators .*Conv on CPUExecution"):
        check("onnxruntime:provider=azure")


WRONG = {
    "parity": "    def outputs(self): return [y + 1 for y in self._y]",
    "shape": "    def outputs(self): return [y[0] for y in self._y]",
    "drift": "    def infer(self): self._y = [y * (1 + 3e-5) for y in self._y]",
    "placement": '    def effective(self): return Effective("1", "cpu", "fp32", None, Placement("npu", 0.9, 0.5))',
    "precision": '    def effective(self): return Effective("1", "cpu", "float", None, Placement.only("cpu"))',
    "threads": '    def effective(self): return Effective("1", "cpu", "fp32", 4, Placement.only("cpu"))',
    "version": '    def effective(self): return Effective("", "cpu", "fp32", None, Placement.only("cpu"))',
    "raises": '    def effective(self): raise KeyError("no such property")',
}
SAID = {
    "parity": "FAILED parity: relative L2 error",
    "shape": "FAILED parity: outputs are",
    "drift": "FAILED repeated inference: the same inference gives another output",
    "placement": "FAILED read-back: only 90.0% of the operators and 50.0% of the MACs ran on npu",
    "precision": "FAILED read-back: the precision 'float' is none of",
    "threads": "FAILED threads: asked for 1 thread, 4 computed",
    "version": "FAILED read-back: it does not tell its version",
    "raises": "FAILED read-back: KeyError: 'no such property'",
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_said(fault: str, plugins: Plugins) -> None:
    made = WORKS.replace("return S(artifact)", "return T(artifact)")
    plugins.add("wrong", f"class T(S):\n{WRONG[fault]}\n{made}")
    with pytest.raises(Nonconforming) as found:
        check("wrong")
    assert SAID[fault] in str(found.value)


GRAPHS = {
    "no operator: a backend that cannot tell": "[]",
    "its graph has 1 MACs, the source": '[Operator("a", "Conv", macs=1)]',
}


@pytest.mark.parametrize("said", GRAPHS)
def test_a_graph_that_is_none_is_said(said: str, plugins: Plugins) -> None:
    made = WORKS.replace("return S(artifact)", "return T(artifact)")
    graph = f"class T(S):\n    def operators(self): return {GRAPHS[said]}\n"
    plugins.add("graph", f"{graph}{made}    capabilities = Capabilities(graph=True)\n")
    with pytest.raises(Nonconforming, match=f"FAILED graph: {said}"):
        check("graph")


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("return S(artifact)", "half a file was loaded without a word"),
        ("os.path.getsize(artifact.path) > 4000 or os.abort(); return S(artifact)", "the process died of SIGABRT"),
    ],
)
def test_half_a_file_must_not_pass(load: str, said: str, plugins: Plugins) -> None:
    plugins.add("blind", WORKS.replace("return S(artifact)", load))
    with pytest.raises(Nonconforming, match=said):
        check("blind")


def test_a_runtime_that_is_not_there_is_said_before_anything_is_tried(plugins: Plugins) -> None:
    plugins.add("gone", f'{WORKS}    modules, packages = ("no_such.runtime",), ("no-such-runtime",)\n')
    with pytest.raises(MissingExtra) as found:
        check("gone")
    assert found.value.hint == "pip install no-such-runtime"
