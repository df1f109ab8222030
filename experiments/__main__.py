"""`python -m experiments NAME|all [--quick] [--out DIR]` measures; `readme --from DIR` writes the page."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from experiments import (
    adaptive_weight,
    anomaly_detection,
    balance,
    choose,
    evidence,
    exact_vae,
    few_digits,
    gan_dynamics,
    gan_optimum,
    gradient_penalty,
    high_quality,
    image_synthesis,
    label_smoothing,
    manipulation,
    mode_collapse,
    page,
    plots,
    published_protocols,
    remedies,
    reparametrization,
    representation,
    stacked_digits,
    style_transfer,
    super_resolution,
    vanishing_gradient,
)
from jaxgen.cli import exit_code, leave
from jaxgen.cli.parser import Parser, Usage, nearest, option
from jaxgen.core import BadRequest
from jaxgen.system.lock import check_new

EXPERIMENTS: Mapping[str, ModuleType] = {  # in the order of the page; choose trains what those after it read
    "choose": choose,
    "image_synthesis": image_synthesis,
    "super_resolution": super_resolution,
    "style_transfer": style_transfer,
    "representation": representation,
    "manipulation": manipulation,
    "anomaly_detection": anomaly_detection,
    "gan_optimum": gan_optimum,
    "gan_dynamics": gan_dynamics,
    "vanishing_gradient": vanishing_gradient,
    "mode_collapse": mode_collapse,
    "high_quality": high_quality,
    "published_protocols": published_protocols,
    "stacked_digits": stacked_digits,
    "few_digits": few_digits,
    "label_smoothing": label_smoothing,
    "gradient_penalty": gradient_penalty,
    "balance": balance,
    "remedies": remedies,
    "adaptive_weight": adaptive_weight,
    "exact_vae": exact_vae,
    "reparametrization": reparametrization,
}
COMPARING = (choose, image_synthesis, super_resolution, style_transfer, representation, manipulation)
COMPARISONS = "comparisons"  # the folder beside the evidence, whose trainings later runs into the same folder read
PAGE = "readme"
PROG = "python -m experiments"


def main(argv: Sequence[str] | None = None) -> int:
    """Does what `argv` names; 0 when done, whatever the verdicts are, 2 for a bad request, else as `jaxgen` exits."""
    return exit_code("experiments", _dispatch, argv)


def _dispatch(argv: list[str]) -> None:
    if argv[:1] == [PAGE]:
        parser = Parser(f"{PROG} {PAGE}", "The page of what was found.", f"{PROG} {PAGE} --from runs/experiments-1")
        what = "what runs wrote; other sections of the page stay as they are"
        parser.add_argument("--from", dest="sources", type=Path, nargs="+", required=True, metavar="DIR", help=what)
        option(parser, "--out", Path, "DIR", "where README.md and pictures/ go", "the folder experiments/")
        arguments = parser.parse_args(argv[1:])
        if arguments.out is None:
            _check_full(arguments.sources)
        print(page.write(arguments.sources, arguments.out or Path(__file__).parent, list(EXPERIMENTS)))
        return
    parser = Parser(PROG, __doc__ or "", f"{PROG} all --quick")
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(EXPERIMENTS)}, or all")
    parser.add_argument("--quick", action="store_true", help="fewer seeds and draws: within 2 minutes each")
    option(parser, "--out", Path, "DIR", "folder for NAME/evidence.json", "the next free runs/experiments-N")
    option(parser, "--tables", str, "FOLDER", "ADBench's .npz files, which anomaly_detection adds", "none")
    arguments = parser.parse_args(argv)
    if arguments.name not in (*EXPERIMENTS, "all"):
        raise Usage(f"unknown experiment {arguments.name!r}: {nearest(arguments.name, [*EXPERIMENTS, 'all', PAGE])}")
    if arguments.tables is not None and arguments.name not in ("anomaly_detection", "all"):
        raise Usage(f"--tables is read by anomaly_detection alone, not by {arguments.name}: leave it out")
    names = list(EXPERIMENTS) if arguments.name == "all" else [arguments.name]
    run(names, arguments.out or _free(), quick=arguments.quick, tables=arguments.tables)


def run(names: Sequence[str], out: Path, *, quick: bool, tables: str | None = None) -> None:
    """Runs experiments one after the other and writes the evidence of each as soon as it is there.

    Raises:
      BadRequest: a folder that holds something already, or no matplotlib; before anything is computed. A folder of
        `tables` that holds none.
    """
    plots.require()
    for name in names:
        check_new(out / name)
    for name in names:
        print(f"{name} ...", flush=True)
        start, module = time.monotonic(), EXPERIMENTS[name]
        config = module.QUICK if quick else module.FULL
        if tables is not None and module is anomaly_detection:
            config = dataclasses.replace(config, tables=tables)
        results = module.main(config, out / COMPARISONS) if module in COMPARING else module.main(config)
        seconds = time.monotonic() - start
        evidence.write(out / name, results, quick=quick, seconds=seconds)
        for claim in results.claims:
            print(f"  {claim.id}: {claim.verdict.word}. {claim.verdict.because}")
        print(f"  {out / name / evidence.FILE}, {seconds:.0f} s", flush=True)


def _check_full(sources: Sequence[Path]) -> None:
    """Refuses to put what was not measured in full in the place of the page that stands, or to leave something out."""
    results = {document["name"]: document["quick"] for source in sources for document in evidence.read(source)}
    stand = page.standing(Path(__file__).parent)
    for name in EXPERIMENTS:
        if results.get(name, name not in stand):
            what = "is that of a --quick run" if name in results else "is missing, and the page has no section of it"
            raise BadRequest(f"evidence of {name} {what}; name another place for the page with --out.")


def _free() -> Path:
    n = 1
    while Path(f"runs/experiments-{n}").exists():
        n += 1
    return Path(f"runs/experiments-{n}")


if __name__ == "__main__":
    leave(main())
