"""A GAN of 300 digits: what its critic learns by heart, and whether augmentation that adapts (ADA) helps against it."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from experiments import plots
from experiments.answers import Spread, spread
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.seeds import each_seed
from jaxgen.comparison.statistics import difference, holm
from jaxgen.core import Network, as_float
from jaxgen.data import Data, load
from jaxgen.metrics.features import feature_space
from jaxgen.metrics.frechet import unbiased_frechet
from jaxgen.nets import ada, augmented, diffaugment
from jaxgen.objectives import NON_SATURATING, r1
from jaxgen.recipes import Spec
from jaxgen.recipes.gans import ALTERNATING, gan_plan
from jaxgen.training.loop import Diverged, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, compile_loop, run_keys
from jaxgen.training.sources import arrays
from jaxgen.training.step import State, evaluation_params

NONE, FIXED, ADAPTIVE = "no augmentation", "always augmented", "adaptive (ADA)"
TARGET = 0.6  # of r, as in the paper
LEVEL = 0.05  # chance that a difference seems sure although there is none
COLOURS = {NONE: plots.ORANGE, FIXED: plots.GREEN, ADAPTIVE: plots.BLUE}
SHOWN = 12  # samples of a way


@dataclasses.dataclass(frozen=True)
class Config:
    """One setting for all ways."""

    seeds: int = 8
    digits: int = 300  # that are trained on
    updates: int = 9600  # of each player, a multiple of `looks` times `interval`
    looks: int = 10
    batch: int = 64
    gamma: float = 0.1  # of R1, which is paid in each `interval`-th turn of the critic, as many times as high
    interval: int = 16
    images: float = 100_000.0  # examples in which the probability of ADA can go from 0 to 1
    rate: float = 2e-3  # of Adam, both players, with momenta 0 and 0.99
    latent_dim: int = 16
    ema: float = 0.01  # rate of the moving average of the generator, in steps of `interval` updates


FULL = Config()
QUICK = dataclasses.replace(FULL, seeds=2, updates=960, looks=3)

ABOUT = """A critic of {digits} examples can learn them by heart. Then it tells real from fake by memory, and its
gradient says nothing of what makes a digit. *Augmentation* shows the critic changed images, real and fake alike:
shifted, with a hole, with another brightness or contrast. *ADA* does each change with a probability p that starts at 0
and follows the critic: *r* is how sure the critic is of the real examples that it is trained on, the mean sign of its
logits, 0 if it cannot tell them and 1 if it is sure of all. Above {target} p rises, below it falls.

Three critics train the same generator from the same starts: without augmentation, with all changes always (DiffAugment)
and with ADA. Data are {digits} of the embedded digits of 8 x 8 pixels. Samples of the moving average of the generator
are judged by the *Frechet distance* of their features to those of digits that no model has seen, lower is better;
digits that are real and unseen have {floor:.3g}, for it is extrapolated to unlimited sets and may fall below 0."""


class Trained(NamedTuple):
    """What one seed came to, by look; not finite where it diverged."""

    sure: np.ndarray  # f64[looks], r of the examples that are trained on, as the critic sees them
    p: np.ndarray  # f64[looks], how much is augmented
    distance: np.ndarray  # f64[looks], Frechet
    samples: np.ndarray  # f32[SHOWN, 8, 8, 1]


Runs = Mapping[str, Sequence[Trained]]  # way -> seeds


def main(config: Config) -> Evidence:
    """Every way, on every seed."""
    data = load("digits")
    judge = judged_by(data)
    runs = {way: measure(way, data, judge, config) for way in COLOURS}
    about = ABOUT.format(digits=config.digits, target=TARGET, floor=judge(as_float(data.valid.x)))
    pictures = {
        "course.png": Picture(
            f"Lines are means of {config.seeds} seeds, bands all of them. Left: above the line the critic is surer of "
            "its examples than ADA allows. Right: lower is better.",
            draw_course(runs, config),
        ),
        "samples.png": Picture("Samples of the first seed after training, and real digits.", draw_samples(runs, data)),
    }
    return Evidence("few_digits", about, claims(runs, config), pictures, dataclasses.asdict(config))


def judged_by(data: Data) -> Callable[[np.ndarray], float]:
    """(images) -> their Frechet distance to the test split, in the feature space of all digits."""
    embed = feature_space(data).embed
    with threadpool_limits(1, user_api="blas"):
        real = embed(as_float(data.test.x))

    def judge(x: np.ndarray) -> float:
        with threadpool_limits(1, user_api="blas"):
            return unbiased_frechet(real, embed(np.asarray(x)))

    return judge


def critic_of(way: str, config: Config) -> Network:
    """The critic of a way: the same network, seen through one pipe or none."""
    net = Spec((8, 8, 1)).critic()
    if way == ADAPTIVE:
        return ada(net, diffaugment(), target=TARGET, images=config.images)
    return augmented(net, diffaugment(), p=1.0 if way == FIXED else 0.0)


def plan_of(way: str, config: Config) -> Plan:
    """The recipe `gan_ada` with the critic of a way."""
    lazy = (("critic:adversarial",), ("generator",)) * (config.interval - 1)
    parts: dict[str, Any] = {
        "loss": NON_SATURATING,
        "penalty": r1(config.gamma * config.interval),
        "critic": critic_of(way, config),
        "turns": (*ALTERNATING, *lazy),
    }
    plan = gan_plan(Spec((8, 8, 1)), config.latent_dim, config.rate, (0.0, 0.99), config.ema, **parts)
    return plan._replace(batch_size=config.batch)


def sureness(critic: Network) -> Callable[[State, Any, Any], jax.Array]:
    """(state, noise of the critic, x) -> r: the mean sign of its logits, augmented as in training."""

    def sure(state: State, noise: Any, x: Any) -> jax.Array:
        critic_state = state.context.state["critic"]
        return jnp.mean(jnp.sign(critic.apply(state.params["critic"], critic_state, noise, x)[0]))

    return jax.jit(sure)


def measure(way: str, data: Data, judge: Callable[[np.ndarray], float], config: Config) -> list[Trained]:
    """All seeds of one way; compiled once."""
    x, plan, critic = data.train.x[: config.digits], plan_of(way, config), critic_of(way, config)
    every, looked_at = config.updates // config.looks // config.interval, as_float(x)
    program = compile_loop(plan, arrays(x), chunk=every)
    bind, sure, n = compile_model(plan.game), sureness(critic), len(data.test.x)
    nothing = np.full(config.looks, np.nan)

    def run(seed: int, stopped: Event) -> Trained:
        keys, results, samples = run_keys(seed), [], np.zeros((0, 8, 8, 1), np.float32)
        try:
            for chunk in train(program, program.init(keys.init), keys, steps=every * config.looks):
                if stopped.is_set():
                    break
                state = chunk.state
                model = bind(evaluation_params(state), state.context.state)
                samples = np.asarray(model.sample(model.draw(keys.evaluation, n)))
                noise = critic.draw(jax.random.fold_in(keys.evaluation, len(results)), looked_at)
                p = float(state.context.state["critic"]["p"])
                results.append((float(sure(state, noise, looked_at)), p, judge(samples)))
        except Diverged:
            return Trained(nothing, nothing, nothing, samples[:0])
        whole = np.array([*results, *[(np.nan,) * 3] * (config.looks - len(results))])
        return Trained(*whole.T, samples[:SHOWN])

    return each_seed(run, config.seeds)


def row(seeds: Sequence[Trained]) -> dict[str, Any]:
    """Figures of a way after training."""

    def last(part: str) -> Spread | None:
        return spread({i: float(getattr(seed, part)[-1]) for i, seed in enumerate(seeds) if len(seed.samples)})

    return {
        "frechet_distance": last("distance"),
        "r_in_the_end": last("sure"),
        "p_in_the_end": last("p"),
        "seeds": len(seeds),
        "failed_seeds": sum(not len(seed.samples) for seed in seeds),
    }


def gains(runs: Runs) -> dict[str, dict[str, Any]]:
    """By how much ADA is nearer to unseen digits than each other way, paired by seed; p values corrected (Holm)."""
    table, p = {}, {}
    for way in runs:
        if way != ADAPTIVE:
            ours, theirs = (
                {i: float(seed.distance[-1]) for i, seed in enumerate(runs[side]) if len(seed.samples)}
                for side in (ADAPTIVE, way)
            )
            gap = difference(theirs, ours)
            table[f"against {way}"] = {
                "nearer_by": [None if math.isnan(end) else end for end in (gap.mean, gap.low, gap.high)],
                "pairs": gap.n,
            }
            p[f"against {way}"] = gap.p
    corrected = {name: None if math.isnan(value) else value for name, value in holm(p).items()}
    return {name: {**entry, "p_corrected": corrected[name]} for name, entry in table.items()}


def nearer(entry: Mapping[str, Any], than: str) -> Verdict:
    """Supported where ADA is surely nearer to unseen digits, not supported where it is surely farther.

    >>> nearer({"nearer_by": [1.0, 0.5, 1.5], "p_corrected": 0.01}, "without").word
    'supported'
    """
    mean, low, high = entry["nearer_by"]
    sure = entry["p_corrected"] is not None and entry["p_corrected"] < LEVEL
    word = "depends" if not sure else "supported" if mean > 0 else "not supported"
    side = "lower" if mean >= 0 else "higher"
    low, high = (low, high) if mean >= 0 or low is None else (-high, -low)
    ends = "" if low is None else f" ({low:.3g} to {high:.3g})"
    chance = "" if entry["p_corrected"] is None else f", corrected p {entry['p_corrected']:.2g}"
    tells = "" if sure else " The seeds do not tell."
    return Verdict(word, f"Its Frechet distance is {side} by {abs(mean):.3g}{ends} than {than}{chance}.{tells}")


def claims(runs: Runs, config: Config) -> tuple[Claim, ...]:
    """What the runs say of ADA against none, and against augmentation that does not adapt."""
    figures, gained = {way: row(seeds) for way, seeds in runs.items()}, gains(runs)
    rule = (
        "Supported if the Frechet distance of ADA is lower, paired by seed, at the "
        f"{100 * LEVEL:g} % level by Student's test after Holm's correction over both comparisons (the intervals are "
        "not corrected), not supported if it is surely higher, else it depends."
    )
    limits = (
        f"Dense networks on {config.digits} images of 8 x 8 pixels, {config.updates:,} updates of each player in "
        f"batches of {config.batch}, Adam of {config.rate:g}, R1 of {config.gamma:g} in each {config.interval}th turn; "
        f"five kinds of changes where the paper has eighteen; p may go from 0 to 1 in {config.images:,.0f} examples, "
        "where the paper has 500,000, because the run is short. The features are fitted on all training digits, of "
        "which the models see a part. Of two gammas in a trial of one seed this is the one at which the critic learns "
        "by heart: distances without, always and with ADA were 15.9, 11.3 and 12.3 at 0.1, where r without was 1.0 and "
        "p of ADA 0.1 in the end, and 12.3, 17.4 and 10.1 at 1, where r was 0.7 and p 0.01. So R1 is a remedy too."
    )
    one, other = (nearer(gained[f"against {way}"], words) for way, words in ((NONE, "without"), (FIXED, "with all")))
    return (
        Claim(
            "2, few data",
            "Remedy: with few examples, augmentation that adapts (ADA) makes a GAN's samples better than none does.",
            one,
            rule,
            limits,
            {"cases": figures, "ada": gained},
            config.seeds,
        ),
        Claim(
            "2, few data, adaptive or fixed",
            "Augmentation that adapts (ADA) is better than the same changes made always.",
            other,
            rule,
            limits,
            {"ada": {f"against {FIXED}": gained[f"against {FIXED}"]}},
            config.seeds,
        ),
    )


def draw_course(runs: Runs, config: Config) -> bytes:
    """r, p and the distance, by updates."""
    picture, axes = plots.figure(f"A GAN of {config.digits} digits, with and without augmentation", 4.6, 1, 3)
    at = config.updates / config.looks * np.arange(1, config.looks + 1)
    titles = {"sure": "r: how sure the critic is", "p": "p: how much is augmented", "distance": "Frechet distance"}
    for panel, (part, title) in zip(axes[0], titles.items(), strict=True):
        for way, seeds in runs.items():
            values = np.array([getattr(seed, part) for seed in seeds if len(seed.samples)])
            if len(values):
                panel.fill_between(at, values.min(0), values.max(0), color=COLOURS[way], alpha=0.12, linewidth=0)
                panel.plot(at, values.mean(0), "o-", color=COLOURS[way], markersize=4)
        panel.set(title=title, xlabel="updates of each player")
        panel.set_xticks([0, config.updates], ["0", f"{config.updates:,}"])
    axes[0, 0].axhline(TARGET, color=plots.INK, linewidth=1)
    axes[0, 0].set(ylim=(-1.05, 1.05))
    plots.label(axes[0, 0], 0.02 * config.updates, TARGET - 0.1, "target of ADA", plots.INK, fontsize=11)
    axes[0, 1].set(ylim=(-0.05, 1.05))
    axes[0, 2].set(ylim=(0, None))
    for line, (way, colour) in enumerate(COLOURS.items()):
        plots.label(axes[0, 0], 0.1 * config.updates, -0.6 - 0.16 * line, way, colour, fontsize=12)
    return plots.png(picture)


def draw_samples(runs: Runs, data: Data) -> bytes:
    """A row of samples for each way."""
    shown = {"real digits": as_float(data.test.x[:SHOWN])} | {way: seeds[0].samples for way, seeds in runs.items()}
    picture, axes = plots.figure("Samples", 0.7 + 1.15 * len(shown), len(shown), 1)
    for (panel,), (name, x) in zip(axes, shown.items(), strict=True):
        if len(x):
            plots.images(panel, x, SHOWN, name, COLOURS.get(name, plots.INK))
        else:
            panel.set_title(f"{name}: diverged")
            panel.axis("off")
    return plots.png(picture)
