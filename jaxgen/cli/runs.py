"""What is done with the folder of a trained run: measure it, draw from it, take its parameters out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.cli.parser import SEED, Parser, file_of, option, whole

if TYPE_CHECKING:
    import numpy as np

    from jaxgen.core import Model
    from jaxgen.data import Data
    from jaxgen.tasks import Metric

BLOCK = 512  # samples that are made at a time


def evaluate(argv: Sequence[str]) -> None:
    """`jaxgen evaluate`: the figures of a run's samples beside those of real data."""
    parser = Parser(
        "jaxgen evaluate",
        "Measure samples of a trained run against the test split of its data, print\n"
        "the figures beside those of real training data, and write evaluation.json\n"
        "into the folder of the run.",
        "jaxgen evaluate runs/a",
    )
    parser.add_argument("run", metavar="DIR", help="folder of a run")
    out = Path(parser.parse_args(argv).run)
    from jaxgen.core import BadRequest
    from jaxgen.metrics import feature_space
    from jaxgen.runs import restore
    from jaxgen.system import files
    from jaxgen.tasks import synthesise
    from jaxgen.training import checkpoint
    from jaxgen.training.loop import Diverged

    data, seed = _data(out)
    if reason := synthesise.servable(data):
        raise BadRequest(f"{reason} Use more data.")
    model = restore.load(out)
    features, count = feature_space(data), synthesise.sample_count(data)
    found = synthesise.measure(features, data, _draw(model, seed, count))
    real = synthesise.ceiling(features, data)
    figures = {
        name: {"value": _known(found.get(name)), "ceiling": _known(real.get(name)), **_told(about)}
        for name, about in synthesise.metrics(data).items()
    }
    round, _ = checkpoint.read_meta(out / "checkpoints")
    reason = None if found else "the samples are not all finite, so nothing was measured"
    head = {"data": data.name, "round": round, "samples": count, "features": features.name, "failed": reason}
    files.write_json(out / "evaluation.json", {**head, "figures": figures})
    if reason:
        raise Diverged(f"at round {round} {reason}: train again with a lower --learning-rate.")
    print(f"{count} samples at round {round} against the test split of {data.name}\nfeatures: {features.name}\n")
    print(_table(figures))


def sample(argv: Sequence[str]) -> None:
    """`jaxgen sample`: draws from a trained run."""
    parser = Parser(
        "jaxgen sample",
        "Draw new examples from a trained run: a picture (.png), or an array named x\n"
        "(.npz): images from 0 to 1, tables in the units of the data.",
        "jaxgen sample runs/a --n 64 --out samples.png",
    )
    parser.add_argument("run", metavar="DIR", help="folder of a run")
    option(parser, "--out", file_of(".png", ".npz"), "FILE", "to write; one that exists is replaced")
    option(parser, "--n", whole(1), "N", "how many", "64")
    option(parser, "--seed", SEED, "I", "another seed draws other examples", "0")
    args = parser.parse_args(argv)
    if args.out is None:
        parser.error("give --out FILE, a .png or .npz")
    out, file, n, seed = Path(args.run), Path(args.out), args.n or 64, args.seed or 0
    from jaxgen.runs import restore

    if file.suffix.lower() == ".png":
        restore.write_samples(out, file, n=n, seed=seed)
    else:
        _write_array(out, file, n, seed)
    print(file)


def export(argv: Sequence[str]) -> None:
    """`jaxgen export`: parameters as named arrays."""
    parser = Parser(
        "jaxgen export",
        "Write the parameters of a trained run as named arrays, such as\n"
        "critic/params/Dense_0/kernel: their moving average, which samples are made from.",
        "jaxgen export runs/a weights.npz",
    )
    parser.add_argument("run", metavar="DIR", help="folder of a run")
    parser.add_argument("file", type=file_of(".npz"), metavar="FILE.npz", help="to write; one that exists is replaced")
    args = parser.parse_args(argv)
    from jaxgen.runs import restore

    restore.export(args.run, args.file)
    print(args.file)


def _write_array(out: Path, file: Path, n: int, seed: int) -> None:
    import io

    import numpy as np

    from jaxgen.runs import folder, restore
    from jaxgen.system import files

    model = restore.load(out)
    x = _draw(model, seed, n)
    if folder.read_settings(out)["data"]["kind"] == "table":
        mean, std = _data(out)[0].scale or (0, 1)
        x = x * std + mean
    content = io.BytesIO()
    np.savez(content, x=x)
    files.write(file, content.getvalue())


def _data(out: Path) -> "tuple[Data, int]":
    """The data that a run was trained on, and the run's seed."""
    from jaxgen import data
    from jaxgen.core import BadRequest
    from jaxgen.runs import folder

    settings = folder.read_settings(out)
    source = settings["config"]["data"]
    if source is None:
        raise BadRequest(f"{out} was trained from Python on data of its own: measure run.model there (jaxgen.tasks).")
    found = data.load(source)
    folder.same_data(source, found.digest, settings["data"]["digest"])
    return found, settings["config"]["seed"]


def _draw(model: "Model", seed: int, n: int) -> "np.ndarray":
    """`n` samples, in blocks: the noise of many images is small, and the images are not."""
    import jax
    import numpy as np

    from jaxgen.training.program import run_keys

    noise = model.draw(run_keys(seed).evaluation, n)
    blocks = (jax.tree.map(lambda a, i=i: a[i : i + BLOCK], noise) for i in range(0, n, BLOCK))
    return np.concatenate([np.asarray(model.sample(block)) for block in blocks])


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _told(about: "Metric") -> dict[str, Any]:
    return {**about._asdict(), "bounds": about.bounds and [_known(end) for end in about.bounds]}


def _table(figures: dict[str, dict[str, Any]]) -> str:
    lines = [("figure", "this run", "real data", "better")]
    better = {True: "higher", False: "lower", None: "neither way"}
    for name, figure in figures.items():
        here, real = ("-" if figure[key] is None else f"{figure[key]:.4g}" for key in ("value", "ceiling"))
        lines.append((name, here, real, better[figure["higher_is_better"]]))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}" for a, b, c, d in lines)
