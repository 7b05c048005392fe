"""``bench export``."""

from __future__ import annotations

from pathlib import Path

import click

from bench.base.words import size
from bench.cli import options
from bench.report.text.print import say


@click.command("export", epilog="Example: bench export shufflenetv2 --output shufflenetv2.onnx")
@click.argument("model")
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="FILE.onnx", help="What to write.")
@options.BATCH
@options.RESOLUTION
@options.SHAPES
@options.INPUT
@options.seed("weights and input")
@click.option("--int8", is_flag=True, help="Quantise it: QDQ, per channel, calibrated on seeded input.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Inputs that --int8 is calibrated on; default: seeded draws.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def command(
    model: str,
    output: Path,
    batch: int,
    resolution: int | None,
    shapes: tuple[str, ...],
    input: str | None,
    seed: int,
    int8: bool,
    calibration: Path | None,
    force: bool,
) -> None:
    """Write a model as an ONNX file, with its reference outputs beside it.

    FILE.reference.npz holds inputs and the outputs that they must give. Carry both files to a device without PyTorch:
    `bench run --model FILE.onnx` there compares its outputs with PyTorch's. With --int8 the outputs are those of the
    quantised network, from ONNX Runtime without optimisation.
    """
    from bench.artifact.calibration import check
    from bench.base.errors import UsageError
    from bench.export import ensure, quantize
    from bench.export.deliver import check_output, deliver
    from bench.measure.cases import network_of

    if calibration and not int8:
        raise UsageError("a calibration file is of --int8, which is not given", "add --int8")
    check(str(calibration or ""))
    network = network_of(model, **options.network(batch, resolution, shapes, input))
    check_output(output, force)
    artifact = ensure(network, seed, lambda: click.echo("exporting", err=True))
    if int8:
        artifact = quantize.ensure(artifact, str(calibration or ""), lambda: click.echo("quantising", err=True))
    paths = deliver(artifact, output, force)
    for path in paths:
        say(f"{path}  {size(path.stat().st_size)}")
    if artifact.quantization is not None:
        found = artifact.quantization
        say(f"{found.recipe}; {found.calibration}; relative L2 error {found.cost:.2g} against fp32")
    least = "at least " if artifact.uncounted else ""
    say(f"{least}{artifact.macs / 1e6:.1f} M MACs, {artifact.params / 1e6:.2f} M parameters, {artifact.reference_by}")
