"""``bench export``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from bench.cli import options
from bench.report.text.print import say


@click.command("export", no_args_is_help=True)
@click.argument("model")
@click.option("--output", required=True, type=click.Path(path_type=Path), metavar="FILE.onnx", help="What to write.")
@options.BATCH
@options.RESOLUTION
@options.SHAPES
@options.INPUT
@options.seed("weights and input")
@click.option("--int8", is_flag=True, help="Quantise it: QDQ, per channel, calibrated on seeded input.")
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
    force: bool,
) -> None:
    """Write a model as an ONNX file, with its reference outputs beside it.

    FILE.reference.npz holds inputs and the outputs that they must give. Carry both files to a device without PyTorch:
    `bench run --model FILE.onnx` there compares its outputs with PyTorch's. With --int8 the outputs are those of the
    quantised network, from ONNX Runtime without optimisation.
    """
    from bench.export import ensure
    from bench.export.deliver import check_output, deliver
    from bench.export.quantize import quantize
    from bench.measure.cases import network_of
    from bench.plan import zoo
    from bench.plan.case import Network

    network = network_of(model, **options.network(batch, resolution, shapes, input))
    check_output(output, force)
    artifact = ensure(network, seed, lambda: click.echo("exporting", err=True))
    if int8:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            quantised = Path(folder, output.name)
            quantize(artifact, quantised, seed)
            artifact = ensure(Network(zoo.resolve(str(quantised))), seed)
            paths = deliver(artifact, output, force)
    else:
        paths = deliver(artifact, output, force)
    for path in paths:
        say(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
    least = "at least " if artifact.uncounted else ""
    say(f"{least}{artifact.macs / 1e6:.1f} M MACs, {artifact.params / 1e6:.2f} M parameters, {artifact.reference_by}")
