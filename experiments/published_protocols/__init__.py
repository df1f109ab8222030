"""Claims 2c and 2d in the settings of two papers: does unrolling, and does packing, keep more modes than none?"""

import dataclasses
import math

from experiments.evidence import Claim, Evidence, Picture
from experiments.mode_collapse.verdicts import KEEPS, LEAST_QUALITY, LOSES
from experiments.published_protocols import panels, verdicts
from experiments.published_protocols.runs import Runs, cases, gains, measure, row
from experiments.published_protocols.ways import BATCH, PACKING, PROTOCOLS, UNROLLING, Config, Part

FULL = Config()
QUICK = dataclasses.replace(
    FULL, unrolling=Part(("ring8",), (0, 5), 450), packing=Part(("grid25",), (1, 4), 450), seeds=2, looks=3
)

ABOUT = """Two papers offer remedies against lost modes that leave the loss alone. An *unrolled* generator looks ahead:
it plays against the critic that there will be after five more steps. In PacGAN the critic sees *packs* of several
samples at once, and so can tell whether they are all alike. On the page of mode_collapse every loss has one small
setting; here each remedy has that of its own paper, with and without it.

*Unrolling*: generator and critic of two layers of 128 tanh, kernels orthogonal of gain 1.4, 256 numbers of noise,
batches of 512, the minimax loss, Adam of 1e-4 for the critic and 1e-3 for the generator with b1 0.5. *Packing*: a
generator of four layers of 400 with batch norm and ReLU, a critic of three maxout layers of 200 with 5 pieces, kernels
drawn with standard deviation 0.02, 2 numbers of noise, batches of 100 packs, the non-saturating loss, Adam of 1e-4 with
b1 0.8. In both the two players move from one point.

{smaller} Of 2,500 samples one is of *high quality* within 3 standard deviations of a mode, and a mode with one is
*captured*; *reverse KL* tells how unevenly they fall on the modes, 0 nats is even. Real data score 98.9 %."""


def main(config: Config) -> Evidence:
    """Every way of both protocols, on each data set."""
    runs = {
        case: {way: measure(case, way, config) for way in config.part(case.protocol).ways} for case in cases(config)
    }
    pictures = {
        "course.png": Picture(
            f"A line is the mean of {config.seeds} seeds, a band all of them; a diamond is what was published, after "
            f"the whole training. Dots are hollow where under {LEAST_QUALITY:g} % of samples are of high quality.",
            panels.course(runs, config),
        ),
        "samples.png": Picture(
            "Dots are samples after the last update, of the seed with the median number of modes; rings are the modes.",
            panels.samples(runs),
        ),
    }
    about = ABOUT.format(smaller=smaller(config))
    return Evidence("published_protocols", about, claims(runs, config), pictures, dataclasses.asdict(config))


def smaller(config: Config) -> str:
    """How much less is trained than was published, and on how much smaller networks and batches.

    >>> print(smaller(Config(unrolling=Part(("ring8",), (0, 5), 5000), batch=256, narrower=1)))
    Training is smaller than published: unrolling has 5,000 of 25,000 updates (1/5) in batches of 256 for 512; packing \
has 16,000 of 400,000 updates (1/25).
    """
    (few, many), (entry, all_) = (
        (config.part(protocol).updates, PROTOCOLS[protocol].updates) for protocol in (UNROLLING, PACKING)
    )
    batches = "" if config.batch == BATCH else f" in batches of {config.batch} for {BATCH}"
    widths = (
        f", layers {config.narrower} times narrower and, so that signals have the size that they have there, first "
        f"kernels {math.sqrt(config.narrower):.3g} times larger"
    )
    return (
        f"Training is smaller than published: unrolling has {few:,} of {many:,} updates (1/{many / few:.3g}){batches}; "
        f"packing has {entry:,} of {all_:,} updates (1/{all_ / entry:.3g}){widths if config.narrower > 1 else ''}."
    )


def claims(runs: Runs, config: Config) -> tuple[Claim, ...]:
    """What the runs say of the two claims."""
    rows = {case.of(way): row(case, way, seeds) for case, ways in runs.items() for way, seeds in ways.items()}
    without = {case.of(first): rows[case.of(first)] for case in runs for first in config.part(case.protocol).ways[:1]}
    gained = gains(runs)
    text = {
        UNROLLING: "a generator that looks five steps of its critic ahead captures more modes",
        PACKING: "a critic that sees several samples at once captures more modes",
    }
    kept = (
        f"A seed keeps all modes where each is captured and {LEAST_QUALITY:g} % of its samples are of high quality or "
        "more, for noise over the plane captures modes too. "
    )
    rule = (
        "The figure is captured modes, as the papers count them. A way has more than that without the remedy if the "
        f"difference, paired by seed, is above 0 at the {100 * verdicts.LEVEL:g} % level by Student's test after "
        "Holm's correction over all of both protocols (the intervals are not corrected). Supported if some way has "
        "more on "
        f"each data set with {LEAST_QUALITY:g} % of its samples of high quality or more, not supported if all ways "
        "have such samples and none has more modes on any, else it depends."
    )
    first = Claim(
        "2c, published protocols",
        "Mode collapse: without their remedy, the GANs of these papers lose modes.",
        verdicts.collapses(without),
        f"{kept}A way keeps all modes where all are there on {100 * KEEPS:g} % of the seeds or more, and loses modes "
        f"where they are on fewer than {100 * LOSES:g} %. Supported if all that are without a remedy lose modes, not "
        f"supported if all keep them, else it depends: one with under {LEAST_QUALITY:g} % of high quality has not "
        "learned.",
        _limits(config),
        {"cases": rows},
        config.seeds,
    )
    others = (
        Claim(
            f"2d, {protocol} as published",
            f"Remedy: {text[protocol]}.",
            verdicts.helps(entry),
            rule,
            _limits(config),
            {"against_none": entry},
            config.seeds,
        )
        for protocol in PROTOCOLS
        if (
            entry := {
                case.of(way): gained[case.of(way)]
                for case in runs
                if case.protocol == protocol
                for way in config.part(protocol).ways[1:]
            }
        )
    )
    return first, *others


def _limits(config: Config) -> str:
    return (
        f"{smaller(config)} The published figures are of other runs: for unrolling those that VEEGAN reports, whose "
        f"networks may be others. The foreseen steps are of SGD with rate {config.foreseen:g}, where the unrolled "
        "GAN's code has Adam: over 3,000 updates without unrolling Adam moved the critic about as SGD of 0.11 to 0.27 "
        "would (its rate over the root of its second moment, by mean square and by mean). Points are 20,000, where "
        "PacGAN draws 100,000 packs; PacGAN normalises each of the m samples of its packs apart, and here a batch is "
        "normalised as a whole. Batch, widths and numbers of updates are what time allows: trials of one seed were "
        f"made to see when samples begin to be of high quality. The rule on under {LEAST_QUALITY:g} %, and that modes "
        "are counted as the papers count them, were written after these trials."
    )
