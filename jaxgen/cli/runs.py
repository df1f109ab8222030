"""What is done with the folder of a trained run: measure it, draw from it, take its parameters out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.cli.parser import SEED, Parser, file_of, option, place, whole

if TYPE_CHECKING:
    from jaxgen.core import Model
    from jaxgen.data import Data
    from jaxgen.tasks import Metric

BOUND_SAMPLES = 64  # of the posterior, for each example of the test split


def evaluate_parser() -> Parser:
    """What `jaxgen evaluate` takes."""
    parser = Parser(
        "jaxgen evaluate",
        "Measure samples of a trained run against the test split of its data, print\n"
        "the figures beside those of real training data, and write evaluation.json\n"
        "into the folder of the run. With a condition they are drawn for the labels of\n"
        "the test examples, or for the small images of validation examples.",
        "jaxgen evaluate runs/a",
    )
    parser.add_argument("run", type=place, metavar="DIR", help="folder of a run")
    return parser


def evaluate(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen evaluate`: the figures of a run's samples beside those of real data."""
    out = Path(parser.parse_args(argv).run)
    from jaxgen.core import BadRequest
    from jaxgen.metrics import feature_space
    from jaxgen.runs import conditions, restore, samples
    from jaxgen.system import files
    from jaxgen.system.bar import busy
    from jaxgen.tasks import Reference, synthesise
    from jaxgen.training import checkpoint
    from jaxgen.training.loop import Diverged
    from jaxgen.training.program import run_keys

    data, settings = restore.load_data(out)
    model, config = restore.load(out), settings["config"]
    if model.draw is None or model.sample is None:
        raise BadRequest(f"the model of {out} draws no samples to measure: it has {', '.join(model.maps)}.")
    condition, key = restore.condition_for(config, data), run_keys(config["seed"]).evaluation
    with busy("measuring"):
        reference, count = Reference(data, feature_space(data)), synthesise.sample_count(data)
        given = None if condition is None else conditions.measured(condition, data, count)
        measured = synthesise.measure(reference, samples.draw(model, count, key, given))
        real = synthesise.ceiling(reference)
    figures = {
        name: {"value": _known(measured.get(name)), "reference": _known(real.get(name)), **_described(about)}
        for name, about in synthesise.metrics(data).items()
    }
    step, _ = checkpoint.read_meta(out / "checkpoints")
    reason = None if measured else "the samples are not all finite, so nothing was measured"
    head = {"data": data.name, "step": step, "samples": count, "features": reference.features.name, "failed": reason}
    with busy("bounds on the likelihood"):
        likelihood = {} if reason or model.log_weight is None else _likelihood(out, model, data, condition, key)
    files.write_json(out / "evaluation.json", {**head, "figures": figures, "likelihood": likelihood})
    if reason:
        raise Diverged(f"at step {step} {reason}: train again with a lower --learning-rate.")
    print(
        f"{count} samples at step {step} against the test split of {data.name}\nfeatures: {reference.features.name}\n"
    )
    _print_table({name: figure for name, figure in figures.items() if name in measured})
    for line in synthesise.unmeasured(data):
        print(line)
    for name, (mean, low, high) in likelihood.items():
        print(f"{name}: {mean:.4g} ({low:.4g} to {high:.4g}), {BOUND_SAMPLES} posterior samples for each test example")


def _likelihood(out: Path, model: "Model", data: "Data", condition: Any, key: Any) -> dict[str, Any]:
    """Bounds on the likelihood of the test split: (mean, low, high) by name, 95 % intervals over its examples."""
    import numpy as np

    from jaxgen.core import as_float
    from jaxgen.metrics import likelihood
    from jaxgen.runs import recorder

    x = as_float(data.test.x)
    given = None if condition is None else condition.of(x, data.test.label)
    found = likelihood.bounds(key, model, x, given, samples=BOUND_SAMPLES)
    figures = {
        "test negative ELBO, nats": likelihood.interval(-found.elbo),
        "test importance bound on -log p(x), nats": likelihood.interval(-found.importance),
    }
    history = recorder.read(out / "metrics.jsonl")
    if history and "vae/bits_per_dim" in history[-1]:  # elsewhere the likelihood is no probability of pixels
        bits = -found.importance / np.prod(data.shape) / np.log(2)
        figures["test importance bound, bits per dimension"] = likelihood.interval(bits)
    return figures


def sample_parser() -> Parser:
    """What `jaxgen sample` takes."""
    parser = Parser(
        "jaxgen sample",
        "Draw new examples from a trained run: a picture (.png), or an array named x\n"
        "(.npz): images from 0 to 1, tables in the units of the data.",
        "jaxgen sample runs/a --n 64 --out samples.png",
    )
    parser.add_argument("run", type=place, metavar="DIR", help="folder of a run")
    option(parser, "--out", file_of(".png", ".npz"), "FILE", "to write; one that exists is replaced")
    option(parser, "--n", whole(1), "N", "how many", "64")
    option(parser, "--label", str, "L", "class to draw, of a run with --condition label", "all in turn")
    option(parser, "--seed", SEED, "I", "another seed draws other examples", "0")
    return parser


def sample(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen sample`: draws from a trained run."""
    args = parser.parse_args(argv)
    if args.out is None:
        parser.error("give --out FILE, a .png or .npz")
    from jaxgen.runs import samples

    samples.write_samples(args.run, args.out, n=args.n or 64, seed=args.seed or 0, label=args.label)
    print(args.out)


def export_parser() -> Parser:
    """What `jaxgen export` takes."""
    parser = Parser(
        "jaxgen export",
        "Write the parameters of a trained run as named arrays, such as\n"
        "critic/head/kernel: their moving average, if one is kept, as for samples.",
        "jaxgen export runs/a weights.npz",
    )
    parser.add_argument("run", type=place, metavar="DIR", help="folder of a run")
    parser.add_argument("file", type=file_of(".npz"), metavar="FILE.npz", help="to write; one that exists is replaced")
    return parser


def export(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen export`: parameters as named arrays."""
    args = parser.parse_args(argv)
    from jaxgen.runs import restore

    restore.export(args.run, args.file)
    print(args.file)


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _described(about: "Metric") -> dict[str, Any]:
    return {**about._asdict(), "bounds": about.bounds and [_known(end) for end in about.bounds]}


def _print_table(figures: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    numbers = [Column(title, justify="right") for title in ("this run", "real data")]
    table = Table(Column("figure", overflow="fold"), *numbers, "better", box=None, pad_edge=False)
    better = {True: "higher", False: "lower", None: "neither way"}
    for name, figure in figures.items():
        here, real = ("-" if figure[key] is None else f"{figure[key]:.4g}" for key in ("value", "reference"))
        table.add_row(name, here, real, better[figure["higher_is_better"]])
    Console(highlight=False).print(table)
