"""`jaxgen prepare`: what it takes, and the call that it makes."""

import shlex
from collections.abc import Sequence

from jaxgen.cli.parser import Parser, given, option


def prepare_parser() -> Parser:
    """What `jaxgen prepare` takes."""
    parser = Parser(
        "jaxgen prepare",
        "Prepare an official image set of TensorFlow Datasets from files at hand: every\n"
        "file is checked against its registered checksum; no TensorFlow, no network.",
        "jaxgen prepare fashion_mnist --from /usr/share/datasets/fashion-mnist",
    )
    parser.add_argument("name", metavar="NAME", help="such as mnist, fashion_mnist, cifar10 or celeb_a")
    option(parser, "--from", str, "FOLDER", "holds the files as they are downloaded")
    option(parser, "--data-dir", str, "DIR", "to prepare in", "TFDS_DATA_DIR, else ~/tensorflow_datasets")
    return parser


def prepare(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen prepare`: an official data set from downloaded files."""
    asked = given(parser.parse_args(argv))
    if "from" not in asked:
        parser.error("give --from FOLDER, the one with the downloaded files")
    name, place = asked["name"], asked.get("data_dir")
    from jaxgen.data.tfds import prepare

    folder, counts = prepare.prepare(name, asked["from"], place)
    sizes = ", ".join(f"{count} {split}" for split, count in counts.items())
    where = f"TFDS_DATA_DIR={shlex.quote(place)} " if place else ""
    print(f"prepared: {folder} ({sizes}). Next: {where}jaxgen compare --data {name}")
