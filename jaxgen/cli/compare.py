"""`jaxgen compare`: what it takes, and the call that it makes."""

import argparse
from collections.abc import Callable, Sequence

from jaxgen.cli.parser import DATA, SEED, Parser, given, number, of_images, option, place, whole

CANDIDATES = "recipes to compare, with options and several values of them, as in vae,r3gan:gamma=0.1|1"


def compare_parser() -> Parser:
    """What `jaxgen compare` takes."""
    parser = Parser(
        "jaxgen compare",
        "Train the VAE and the GAN side for the same time, run every task that the\n"
        "data allows, and write report.html and report.json.",
        "jaxgen compare --data photos --models vae,r3gan,wgan_gp --out runs/photos",
    )
    option(parser, "--data", str, "DATA", DATA, "digits")
    of_images(parser)
    option(parser, "--models", _names("vae,r3gan"), "A,B,...", CANDIDATES, "vae,r3gan")
    option(parser, "--out", place, "DIR", "new or empty folder for the report", "the next free runs/compare-N")
    option(parser, "--seconds-per-model", number(), "S", "time of the main training of one model and seed", "2.5")
    option(parser, "--seeds", whole(1), "N", "trainings of each model, each on a split of its own", "6")
    option(parser, "--seed", SEED, "I", "the first of them", "0")
    classes = "the classes that are anomalies"
    option(
        parser,
        "--anomaly",
        _names("crack,scratch"),
        "CLASS,...",
        classes,
        "those that the data name, else each class in turn",
    )
    option(
        parser,
        "--domains",
        _names("photos,paintings"),
        "A,B",
        "two classes to translate between, or a style: inverted, thick, edges or coloured",
        "thick, or coloured for colour images",
    )
    words = "synthesis, style, super-resolution, anomalies, representation, manipulation"
    option(
        parser, "--settings", _names("synthesis,anomalies"), "A,B,...", f"what to measure, of {words}", "all of them"
    )
    option(parser, "--repeat", place, "DIR", "run the comparison in DIR again, with the steps recorded there")
    option(parser, "--resume", place, "DIR", "go on with the comparison in DIR that ended early")
    return parser


def compare(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen compare`: trains both sides and writes the report."""
    options = given(parser.parse_args(argv))
    earlier, stopped = options.pop("repeat", None), options.pop("resume", None)
    if earlier is not None and options.keys() - {"out"}:
        parser.error("--repeat DIR takes all but --out from the comparison in DIR: leave the other flags out")
    if stopped is not None and (options or earlier is not None):
        parser.error("--resume DIR takes everything from the comparison in DIR: leave the other flags out")
    from jaxgen.cli.process import settle_memory
    from jaxgen.comparison import session

    if earlier is not None:
        comparison = session.repeat(earlier, out=options.get("out"), on_data=settle_memory)
    elif stopped is not None:
        comparison = session.resume(stopped, on_data=settle_memory)
    else:
        if "seconds_per_model" in options:
            options["seconds"] = options.pop("seconds_per_model")
        comparison = session.compare(**options, on_data=settle_memory)
    print(comparison.out / "report.html")


def _names(example: str) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        found = tuple(name.strip() for name in text.split(","))
        if not all(found):
            raise argparse.ArgumentTypeError(f"it must be names with commas between, such as {example}, not {text!r}")
        return found

    return names
