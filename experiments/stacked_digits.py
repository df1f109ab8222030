"""Claims 2c and 2d on images of 1,000 modes: what a GAN without a penalty loses, and which penalties keep all modes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

import numpy as np

from experiments import plots
from experiments.answers import spread
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.mode_collapse.verdicts import KEEPING, KEEPS, LOSES, LOSING, fate
from experiments.seeds import each_seed
from jaxgen.data import Data, load
from jaxgen.data.embedded import stack
from jaxgen.games import gan
from jaxgen.metrics import StackedCount, count_stacked, feature_space
from jaxgen.nets.wrappers import packed
from jaxgen.objectives import NON_SATURATING, RELATIVISTIC, add, r1, r2
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import ALTERNATING, adam, average
from jaxgen.training.loop import Diverged, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, compile_loop, run_keys
from jaxgen.training.sources import arrays
from jaxgen.training.step import evaluation_params

MODES = 1000
PACK = 4  # examples that a packed critic sees at once
PLAIN, BOTH = "non-saturating", "R1 and R2"
WAYS = {  # loss, penalties, examples in a pack
    f"{PLAIN}, no penalty": (NON_SATURATING, (), 1),
    f"{PLAIN}, packs of {PACK}": (NON_SATURATING, (), PACK),
    f"{PLAIN}, R1": (NON_SATURATING, (r1,), 1),
    f"{PLAIN}, {BOTH}": (NON_SATURATING, (r1, r2), 1),
    "relativistic, R1": (RELATIVISTIC, (r1,), 1),
    f"relativistic, {BOTH}": (RELATIVISTIC, (r1, r2), 1),
}
PUBLISHED = {  # the small networks of table 1 of R3GAN (Huang et al. 2025, arXiv 2501.05441): modes; None: it diverged
    f"{PLAIN}, R1": None,
    f"{PLAIN}, {BOTH}": 693,
    "relativistic, R1": None,
    f"relativistic, {BOTH}": 1000,
}
SHOWN = 10  # samples in a row of the picture


@dataclasses.dataclass(frozen=True)
class Config:
    """One setting for all ways."""

    seeds: int = 8
    steps: int = 6000
    batch: int = 128
    rate: float = 5e-4  # of Adam, both players, with momenta 0 and 0.99: of 2e-4 and this the better one of a trial
    gamma: float = 0.5  # of each penalty
    latent_dim: int = 64
    ema: float = 0.001
    samples: int = 25_600


FULL = Config()
QUICK = dataclasses.replace(FULL, seeds=2, steps=400, samples=5000)

ABOUT = """Three handwritten digits, drawn independently, are the red, the green and the blue channel of one image of
8 x 8 pixels. So there are 10 x 10 x 10 = 1,000 kinds of images, the *modes*, and each is as probable as any other. A
classifier that was trained apart on single digits tells which mode a sample belongs to. Of {samples:,} samples two
figures are counted, as in the literature: how many of the 1,000 modes occur, and the *KL divergence* of their shares
from even ones, 0 nats where all are alike and ln 1000 = 6.9 where there is one mode. So many samples of a perfect
generator would have about {floor:.3f} nats, by chance.

All ways train the same two networks of dense layers from the same starts, with the same step size, batches and number
of steps. *Non-saturating* is the loss of the first GAN as it is used in practice, and *relativistic* compares each
sample with a real example. *R1* penalises the critic's slope at real examples, *R2* its slope at samples. In *packs*
the critic sees {pack} examples at once and so can tell whether they are all alike (PacGAN)."""


class Trained(NamedTuple):
    """What one seed came to."""

    count: StackedCount
    samples: np.ndarray  # f32[SHOWN, 8, 8, 3]; none where training diverged


Runs = Mapping[str, Sequence[Trained]]  # way -> seeds


def main(config: Config) -> Evidence:
    """Every way, on every seed."""
    data, classify, accuracy = load("stacked_digits"), *_classifier()
    real = count_stacked(data_like(config.samples), classify)
    runs = {way: measure(way, data, classify, config) for way in WAYS}
    about = ABOUT.format(samples=config.samples, floor=(MODES - 1) / (2 * config.samples), pack=PACK)
    pictures = {
        "modes.png": Picture(
            f"A dot for each of {config.seeds} seeds; a cross is one that diverged. To the left: modes that occur. To "
            "the right: how unevenly, in nats; the line is what images that no model was trained on have.",
            draw_counts(runs, real),
        ),
        "samples.png": Picture(
            "The first samples of the first seed of each way, and real images above them.",
            draw_samples(runs, data),
        ),
    }
    return Evidence("stacked_digits", about, claims(runs, real, accuracy, config), pictures, dataclasses.asdict(config))


def _classifier() -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """(images of single digits -> their class, its accuracy on test digits): of the feature space of the digits."""
    space = feature_space(load("digits"))
    assert space.classify is not None and space.accuracy is not None
    return space.classify, space.accuracy


def data_like(n: int) -> np.ndarray:
    """n images of test digits: what samples would be that are real, and of no digit that was trained on."""
    return stack(load("digits").test, n, np.random.default_rng(0)) / np.float32(255)


def plan_of(way: str, config: Config) -> Plan:
    """The game of a way, with the optimiser and the turns that all ways have."""
    loss, penalties, together = WAYS[way]
    spec = Spec((8, 8, 3))
    critic = spec.critic() if together == 1 else packed(spec.critic(), together)
    penalty = add(*(penalty(config.gamma) for penalty in penalties)) if penalties else None
    game = gan(spec.generator(), critic, latent_dim=config.latent_dim, loss=loss, penalty=penalty)
    return Plan(game, adam(config.rate, (0.0, 0.99), "critic", "generator"), ALTERNATING, average(config.ema))


def measure(way: str, data: Data, classify: Callable, config: Config) -> list[Trained]:
    """All seeds of one way; compiled once."""
    plan = plan_of(way, config)
    program = compile_loop(plan, arrays(data.train.x), batch_size=config.batch, chunk=min(200, config.steps))
    bind = compile_model(plan.game)

    def run(seed: int, stopped: Event) -> Trained:
        keys = run_keys(seed)
        state = program.init(keys.init)
        try:
            for chunk in train(program, state, keys, steps=config.steps):
                state = chunk.state
                if stopped.is_set():
                    break
        except Diverged:
            return Trained(StackedCount(0, float(np.log(MODES))), np.zeros((0, 8, 8, 3), np.float32))
        model = bind(evaluation_params(state), state.context.state)
        samples = np.asarray(model.sample(model.draw(keys.evaluation, config.samples)))
        return Trained(count_stacked(samples, classify), samples[:SHOWN])

    return each_seed(run, config.seeds)


def row(seeds: Sequence[Trained]) -> dict[str, Any]:
    """Figures of one way; a seed that diverged counts as one without modes."""
    return {
        "captured_modes": spread({i: float(seed.count.captured) for i, seed in enumerate(seeds)}),
        "fewest": min(seed.count.captured for seed in seeds),
        "seeds_with_all_modes": sum(seed.count.captured == MODES for seed in seeds),
        "seeds": len(seeds),
        "kl_nats": spread({i: seed.count.kl for i, seed in enumerate(seeds)}),
        "largest_kl_nats": max(seed.count.kl for seed in seeds),
        "failed_seeds": sum(not len(seed.samples) for seed in seeds),
    }


def collapses(cases: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Of the way without a penalty: supported where it loses modes, not supported where it keeps them."""
    entry = cases[f"{PLAIN}, no penalty"]
    word = {LOSING: "supported", KEEPING: "not supported"}.get(fate(entry), "depends")
    return Verdict(word, f"It keeps all {MODES:,} modes on {entry['seeds_with_all_modes']} of {entry['seeds']} seeds.")


def as_published(cases: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Of the four cells of R3GAN's table: supported where all are as published, not supported where none is."""
    groups: dict[str, list[str]] = {"As published": [], "Otherwise": []}
    for way, modes in PUBLISHED.items():
        entry, keeps = cases[way], fate(cases[way]) == KEEPING
        lost = fate(entry) == LOSING
        same = keeps if modes == MODES else entry["failed_seeds"] == entry["seeds"] if modes is None else lost
        diverged = f", {entry['failed_seeds']} diverged" if entry["failed_seeds"] else ""
        text = f"{way} (all modes on {entry['seeds_with_all_modes']} of {entry['seeds']} seeds{diverged})"
        groups["As published" if same else "Otherwise"].append(text)
    word = "depends" if all(groups.values()) else "supported" if groups["As published"] else "not supported"
    return Verdict(word, " ".join(f"{name}: {'; '.join(ways)}." for name, ways in groups.items() if ways))


def claims(runs: Runs, real: StackedCount, accuracy: float, config: Config) -> tuple[Claim, ...]:
    """What the runs say of the two claims."""
    cases = {way: row(seeds) for way, seeds in runs.items()}
    one, four = collapses(cases), as_published(cases)
    keeps = [way for way, entry in cases.items() if fate(entry) == KEEPING]
    limits = (
        f"Dense networks on images of 8 x 8 pixels, one setting for all ways: Adam of {config.rate:g} with momenta 0 "
        f"and 0.99, gamma {config.gamma:g}, batches of {config.batch}, {config.steps:,} steps, samples of a moving "
        "average of the generator; the rate is the better one of 2e-4 and 5e-4 in a trial of one seed of the "
        f"relativistic loss. The classifier is right on {100 * accuracy:.1f} % of unseen digits; {config.samples:,} "
        f"images of unseen digits have {real.captured:,} modes and {real.kl:.3f} nats by it. It calls every sample a "
        "digit, however it looks: see the picture."
    )
    rule = (
        f"A way keeps all modes where all {MODES:,} occur on {100 * KEEPS:g} % of the seeds or more, and loses modes "
        f"where they do on fewer than {100 * LOSES:g} %; a seed that diverges keeps none. "
    )
    practice = f"Keep all modes: {'; '.join(keeps)}." if keeps else "Nothing that was tried here keeps all modes."
    return (
        Claim(
            "2c, 1,000 modes",
            "Mode collapse: a GAN without a penalty loses modes of data that have many.",
            one,
            f"{rule}Supported if the non-saturating loss without a penalty loses modes, not supported if it keeps all.",
            limits,
            {"cases": cases},
            config.seeds,
            practice,
        ),
        Claim(
            "2d, 1,000 modes",
            "The relativistic loss with R1 and R2 keeps all modes; the first GAN's loss with both loses some, and with "
            "R1 alone either diverges.",
            four,
            f"{rule}The claim is that of small networks in table 1 of R3GAN. Supported if all four cells are as there "
            "(1,000 modes; 693; and twice divergence, here of all seeds), not supported if none is.",
            "The paper trains residual convolutional networks on images of 28 x 28 pixels or more, for much longer. "
            + limits,
            {"cases": {way: cases[way] for way in PUBLISHED}},
            config.seeds,
            "Penalise the slope of the critic at real examples and at samples, whichever loss you take."
            if f"{PLAIN}, {BOTH}" in keeps and f"relativistic, {BOTH}" in keeps
            else practice,
        ),
    )


def draw_counts(runs: Runs, real: StackedCount) -> bytes:
    """A line for each way, a dot for each seed."""
    picture, axes = plots.figure("Which GANs find all 1,000 kinds of images", 4.4, 1, 2, sharey=True)
    left, right = axes[0]
    for line, seeds in enumerate(runs.values()):
        for i, seed in enumerate(seeds):
            at = line + 0.5 * ((i + 0.5) / len(seeds) - 0.5)  # apart, so that equal seeds can be counted
            mark = {"color": plots.BLUE, "markersize": 6, "clip_on": False}
            left.plot(seed.count.captured, at, "o" if len(seed.samples) else "x", **mark)
            right.plot(seed.count.kl, at, "o" if len(seed.samples) else "x", **mark)
    left.axvline(MODES, color=plots.INK, linewidth=1)
    left.set_xlabel(f"modes, of {MODES:,}")
    left.set(xlim=(-20, 1.03 * MODES))
    right.axvline(real.kl, color=plots.INK, linewidth=1)
    right.set(xscale="log", xlabel="unevenness: KL in nats")
    plots.plain(right.xaxis)
    right.xaxis.minorticks_off()
    ends = (0.8 * real.kl, 1.2 * max(seed.count.kl for seeds in runs.values() for seed in seeds))
    right.set_xticks([tick for tick in (0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5) if ends[0] <= tick <= ends[1]])
    right.set(xlim=ends)
    left.set_yticks(range(len(runs)), runs)
    for panel in (left, right):
        panel.tick_params(axis="y", length=0)
        panel.set(ylim=(len(runs) - 0.5, -0.5))
    return plots.png(picture)


def draw_samples(runs: Runs, data: Data) -> bytes:
    """A row of samples for each way."""
    picture, axes = plots.figure("Samples", 0.7 + 1.02 * (len(runs) + 1), len(runs) + 1, 1)
    shown = {"real images": data.test.x[:SHOWN] / np.float32(255)}
    shown |= {way: seeds[0].samples for way, seeds in runs.items()}
    for (panel,), (name, x) in zip(axes, shown.items(), strict=True):
        if len(x):
            plots.images(panel, x, SHOWN, name, plots.INK)
        else:
            panel.set_title(f"{name}: diverged")
            panel.axis("off")
    return plots.png(picture)
