"""What ``make gpu`` runs, step by step, each with how long it takes and what it writes. Nothing is imported for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DEVICE = "torch:device=cuda"
# Where tests marked `gpu` stand: to collect all of them would need what no measurement needs.
TESTS = ("tests/backends/test_runtimes.py", "tests/profiling/test_runtimes.py", "tests/gpu/test_real.py")
# Small ones, of which the launches are most, and two that fill a device.
NETWORKS = ("shufflenetv2", "mobilenetv2", "mobilenetv3", "squeezenet", "densenet", "resnet")
PAIR = ("shufflenetv2", "resnet")
WAYS = ("graph=true", "compile=true", "tf32=true", "precision=fp16", "precision=bf16")
PRECISIONS = ("", "tf32=true", "precision=fp16", "precision=bf16")
BATCHES = (8, 64)
SAME = "mobilenetv2"  # held against itself
TIMES = 10
LEVEL = "T8-140"  # of Table 8: the GPU's column at batch 8, the ARM core's at batch 1


@dataclass(frozen=True)
class Step:
    """A step: a command of this interpreter, in the folder that is written; `passes` are exit codes that are no fault.

    One that `fills` is told the time that is left by that option, and goes on where it stopped: exit code 3. What one
    that `prints` writes to stdout is the file that it `writes`.
    """

    name: str
    what: str
    seconds: float
    command: tuple[str, ...]
    writes: str
    passes: tuple[int, ...] = (0,)
    fills: str = ""
    prints: bool = False


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command of a module; -P keeps the folder that is written off the path."""
    return ("-P", "-m", name, *arguments)


def measured(
    name: str, what: str, seconds: float, networks: Sequence[str], backends: Sequence[str], *more: str
) -> Step:
    """Return a run of `bench run` into the one file of rows; a row that is not ok tells its own story."""
    words = [word for network in networks for word in ("--model", network)]
    words += [word for backend in backends for word in ("--backend", backend)]
    limits = ("--launches", "2", "--budget", "1", "--output", "rows.csv", "--resume")
    return Step(name, what, seconds, module("bench", "run", *words, *more, *limits), "rows.csv", (0, 1))


def steps() -> list[Step]:
    """Return the plan; what is most worth knowing comes first."""
    tests = [str(REPOSITORY / test) for test in TESTS]
    pytest = ("-c", str(REPOSITORY / "pyproject.toml"), "--rootdir", str(REPOSITORY), "--import-mode=append")
    quiet = ("-p", "no:cacheprovider", "-o", "filterwarnings=default", "-m", "gpu", "--junitxml", "tests.xml")
    ways = [f"{DEVICE},{way}" for way in WAYS]
    return [
        Step("facts", "device, driver, torch and host", 8, module("tests.gpu.facts"), "facts.json"),
        Step("tests", "the tests marked gpu", 60, module("pytest", *pytest, *quiet, *tests), "tests.xml", (0, 1)),
        Step("export", "every family of the zoo, on all cores", 50, module("tests.gpu.parity", "--export"), ""),
        Step("parity", "every family in fp32, tf32, fp16, bf16", 70, module("tests.gpu.parity"), "parity.csv", (0, 1)),
        Step("peers", "torch.utils.benchmark and bare events", 30, module("tests.gpu.peers"), "peers.csv"),
        Step(
            "roofline",
            "peak and bandwidth of the device",
            25,
            module("bench", "roofline", "--backend", DEVICE, "--format", "json"),
            "roofline.json",
            prints=True,
        ),
        measured("eager", "six networks, batch 1", 60, NETWORKS, [DEVICE]),
        measured("ways", "two networks as graph, compiled, tf32, fp16, bf16", 90, PAIR, ways),
        measured(
            "batches",
            "two networks, batch 8 and 64",
            40,
            PAIR,
            [DEVICE],
            *(w for b in BATCHES for w in ("--batch", str(b))),
        ),
        measured(
            "onnxruntime", "onnxruntime:device=cuda, where its build has it", 12, PAIR, ["onnxruntime:device=cuda"]
        ),
        Step(
            "same",
            f"{SAME} against itself, {TIMES} times",
            350,
            module("tests.gpu.same"),
            "same.csv",
            fills="--seconds",
        ),
        findings("guidelines", "G1 to G4, beside the GTX 1080 Ti", 300, "--quick"),
        findings("table8", "a level of Table 8, batch 8 and 1", 300, LEVEL),
    ]


def findings(name: str, what: str, seconds: float, *which: str) -> Step:
    """Return a run of `bench findings` into a file of its own, which goes on where it stopped."""
    more = ("--backend", DEVICE, "--output", f"findings-{name}.jsonl", "--resume")
    command = module("bench", "findings", "run", *which, *more)
    return Step(name, what, seconds, command, f"findings-{name}.csv", (0, 1), fills="--budget")


def table(plan: Sequence[Step], done: Sequence[str], minutes: float) -> str:
    """Return the plan as text, with what it takes and what of it fits into so many minutes."""
    lines, left, total = [], minutes * 60, 0.0
    for step in plan:
        if step.name in done:
            lines.append(f"{step.name:12} {'done':>6}  {step.what}")
            continue
        takes = min(step.seconds, max(0.0, left)) if step.fills else step.seconds
        fits = takes > 0 if step.fills else step.seconds <= left
        left -= takes if fits else 0.0
        total += step.seconds
        what = f"{step.what}{f' -> {step.writes}' if step.writes else ''}"
        later = "" if fits and takes == step.seconds else " (goes on next time)" if fits else " (next time)"
        lines.append(f"{step.name:12} {step.seconds:>4.0f} s  {what}{later}")
    lines.append(f"in all about {total / 60:.0f} minutes; one call takes at most {minutes:g}, and the next one goes on")
    return "\n".join(lines)
