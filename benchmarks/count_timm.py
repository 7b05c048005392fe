"""Counts forty networks of timm, exported in two ways, and holds them against PyTorch's own counter.

    python -m benchmarks.count_timm --output results/counts/timm.csv
    python -m benchmarks.count_timm --model gmixer_24_224       # one of them, printed

Each is exported by the newer exporter (``dynamo=True``, static shapes) and the older one (``dynamo=False``, a dynamic
batch, so that shapes are computed in the graph), and counted as ``bench inspect`` does. The truth is what PyTorch's
``FlopCounterMode`` counts, less what does not depend on the input (the positions of EdgeNeXt, the biases of Swin V2):
a runtime does that once, when it loads. timm's fused attention is off, because that counter leaves
it out on the CPU. Needs torch and timm.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MODELS = (
    *("gmixer_24_224", "mixer_s32_224", "resmlp_12_224", "gmlp_s16_224", "swin_tiny_patch4_window7_224"),
    *("swinv2_cr_tiny_ns_224", "swinv2_tiny_window8_256", "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"),
    *("cait_xxs24_224", "xcit_nano_12_p16_224", "crossvit_9_240", "coat_lite_tiny", "pit_ti_224", "levit_128s"),
    *("mobilevit_xxs", "mobilevitv2_050", "edgenext_xx_small", "efficientformer_l1", "efficientformerv2_s0"),
    *("poolformer_s12", "visformer_tiny", "twins_pcpvt_small", "twins_svt_small", "pvt_v2_b0", "coatnet_nano_rw_224"),
    *("botnet26t_256", "halonet26t", "lambda_resnet26t", "mvitv2_tiny", "davit_tiny", "focalnet_tiny_srf"),
    *("hrnet_w18_small", "res2net50_14w_8s", "resnest14d", "eca_nfnet_l0", "convnextv2_atto", "fastvit_t8"),
    *("sequencer2d_s", "tiny_vit_5m_224", "eva02_tiny_patch14_224", "hiera_tiny_224", "gcvit_xxtiny", "nest_tiny"),
)
COLUMNS = ("model", "exporter", "resolution", "torch_macs", "macs", "macs_at_least", "uncounted", "verdict")
LONGEST_S = 900


def main() -> int:
    """Count all networks, each in a process of its own; leave with 1 if a count is silently off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="CSV to write; networks that it has are left out")
    parser.add_argument("--model", action="append", help="a network of timm; may be repeated  [default: forty]")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print("\n" + json.dumps(count(arguments.one)))
        return 0
    there = read(arguments.output) if arguments.output else []
    done = {row["model"] for row in there}
    bad = [row for row in there if row["verdict"] == "off"]
    for name in arguments.model or MODELS:
        if name in done:
            continue
        rows = in_child(name)
        bad += [row for row in rows if row["verdict"] == "off"]
        if arguments.output:
            append(arguments.output, rows)
        for row in rows:
            print(*(row[column] for column in COLUMNS), flush=True)
    print(f"{len(bad)} silently off")
    return bool(bad)


def in_child(name: str) -> list[dict[str, Any]]:
    """Count a network in a child: what it leaves in memory goes with it."""
    command = [sys.executable, "-m", "benchmarks.count_timm", "--one", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S)
        found: list[dict[str, Any]] = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        said = done.stderr.strip().splitlines() if isinstance(error, json.JSONDecodeError) else ["took too long"]
        return [
            dict.fromkeys(COLUMNS, "") | {"model": name, "verdict": f"not counted: {said[-1][:120] if said else ''}"}
        ]
    return found


def count(name: str) -> list[dict[str, Any]]:
    """Export a network in both ways and count it; a row for each."""
    import torch

    from bench.api import inspect
    from bench.artifact.build import build_module
    from bench.base.errors import BenchError

    os.environ["TIMM_FUSED_ATTN"] = "0"  # read when timm is imported
    torch.manual_seed(0)
    model, side, _ = build_module("timm", name, {})
    model.eval().requires_grad_(False)
    side = side or 224
    x = torch.randn(1, 3, side, side)
    truth = torch_macs(model, x)
    rows = []
    for exporter, dynamo in (("dynamo", True), ("torchscript", False)):
        row = dict.fromkeys(COLUMNS, "") | {"model": name, "exporter": exporter, "resolution": side}
        row["torch_macs"] = truth
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "net.onnx")
            try:
                export(model, x, path, dynamo)
                found = inspect(path, shapes=None if dynamo else {"input": tuple(x.shape)}).summary
            except BenchError as error:
                row["verdict"] = f"refused: {error.message[:120]}"
            except Exception as error:  # exporters raise anything
                row["verdict"] = f"not exported: {type(error).__name__}"
            else:
                row |= {"macs": "" if found.macs is None else found.macs, "macs_at_least": found.macs_at_least}
                row["uncounted"] = " ".join(found.partial)
                row["verdict"] = "partial, named" if found.partial else "equal" if found.macs == truth else "off"
        rows.append(row)
    return rows


def torch_macs(model: Any, x: Any) -> int:
    """Count the MACs of a module as PyTorch does, without those that do not depend on its input."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    return (int(counter.get_total_flops()) - constant_flops(model, x)) // 2


def constant_flops(model: Any, x: Any) -> int:
    """Run a module and add up, by PyTorch's own formulas, the operators that `x` does not reach."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry
    from torch.utils.weak import WeakIdKeyDictionary

    reached = WeakIdKeyDictionary()
    reached[x] = True
    found = 0

    class Follow(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal found
            given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
            out = func(*args, **(kwargs or {}))
            if any(leaf in reached for leaf in given):
                for leaf in (*tree_leaves(out), *(given[:1] if func._schema.is_mutable else ())):
                    if isinstance(leaf, torch.Tensor):
                        reached[leaf] = True
            elif func.overloadpacket in flop_registry:
                found += int(flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out))
            return out

    with torch.no_grad(), Follow():
        model(x)
    return found


def export(model: Any, x: Any, path: Path, dynamo: bool) -> None:
    """Write a module as ONNX, by the newer exporter, or by the older one with a dynamic batch."""
    import torch

    names = {"input_names": ["input"], "output_names": ["output"]}
    if dynamo:
        program = torch.onnx.export(model, (x,), dynamo=True, opset_version=20, verbose=False, **names)
        assert program is not None
        program.save(str(path))
    else:
        axes = {"input": {0: "N"}, "output": {0: "N"}}
        torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=17, dynamic_axes=axes, **names)


def read(path: Path) -> list[dict[str, str]]:
    """Read the rows that are there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def append(path: Path, rows: list[dict[str, Any]]) -> None:
    """Add rows to a CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
