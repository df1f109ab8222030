"""Claim 2g: does it help to train the generator several times for every update of the critic, or the reverse?"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import optax

from experiments import plots
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.ring import Look, looks
from jaxgen.comparison.statistics import difference, holm, interval
from jaxgen.data import load
from jaxgen.games import gan
from jaxgen.objectives import NON_SATURATING, r1
from jaxgen.recipes import Spec
from jaxgen.training.program import Plan
from jaxgen.training.step import Ema, ema_rate

EVEN = "1:1"
LEVEL = 0.05  # chance that some balance seems to differ from 1:1 although none does
GENERATOR, ALL = "equal generator updates", "equal updates of both together"
PLAIN, PENALISED = "no penalty", "R1"


@dataclasses.dataclass(frozen=True)
class Config:
    """One setting for all balances; the balances as (updates of the critic, updates of the generator) in a step."""

    balances: tuple[tuple[int, int], ...] = ((5, 1), (2, 1), (1, 1), (1, 2), (1, 5))
    updates: int = 3000  # of the generator; of both together twice as many
    seeds: int = 8
    batch: int = 64
    latent: int = 2
    rate: float = 2e-3  # of Adam, both players
    gamma: float = 0.1  # of R1


FULL = Config()
QUICK = dataclasses.replace(FULL, balances=((5, 1), (1, 1), (1, 5)), updates=400, seeds=3)

ABOUT = """The critic of a GAN tells the generator where to go. If it is trained too little it points nowhere, and if it
is trained too well, a textbook says, its gradient vanishes; the remedy offered is balance, *for instance to train the
generator several times for every update of the critic*. The critic's and the generator's updates in a step are
k_D : k_G, and here they go from 5:1 to 1:5, with everything else the same: the non-saturating loss, two small networks,
data *ring8*, eight narrow Gaussians on a circle.

What costs the same is a question of its own. With *equal generator updates* 5:1 does six updates for each of the
generator's and 1:5 does 1.2; with *equal updates of both together* they take about as much arithmetic, and the
generator of 5:1 moves a third as often as that of 1:1. Both are counted, without a penalty and with R1 on the slope of
the critic.

The figure is the *overlap* with the data: of 2,500 samples the share within 3 standard deviations of a mode, where a
mode counts up to its even share of an eighth. Real data have about 98 %, a generator that makes one of eight modes
perfectly has 12.5 %, one that spreads over the plane has none. Samples are those of the moving average of the
generator, whose window is a twentieth of the run."""


def more_generator(figures: Mapping[str, Any]) -> Verdict:
    """Supported where in every case some balance with more generator updates beats 1:1, not supported where in none."""
    return _beats(figures, lambda k_d, k_g: k_g > k_d, "more updates of the generator")


def more_critic(figures: Mapping[str, Any]) -> Verdict:
    """Supported where in every case some balance with more critic updates beats 1:1, not supported where in none."""
    return _beats(figures, lambda k_d, k_g: k_d > k_g, "more updates of the critic")


def sign(row: Mapping[str, Any]) -> int:
    """1 where a balance is surely better than 1:1, -1 where it is surely worse, else 0.

    >>> sign({"more_overlap": [-3.0, -5.0, -1.0], "p_corrected": 0.01}), sign({"p_corrected": None})
    (-1, 0)
    """
    if row["p_corrected"] is None or row["p_corrected"] >= LEVEL:
        return 0
    return 1 if row["more_overlap"][0] > 0 else -1


def practice(figures: Mapping[str, Any]) -> str:
    """Which balances are better somewhere and worse nowhere, and the other way round, as advice."""
    gains: dict[str, list[int]] = {}
    for name, row in figures["against_even"].items():
        gains.setdefault(name.partition(", ")[0], []).append(sign(row))
    good = [balance for balance, values in gains.items() if max(values) > 0 and min(values) >= 0]
    bad = [balance for balance, values in gains.items() if min(values) < 0 and max(values) <= 0]
    text = f"Start at {EVEN}."
    text += f" Worth a trial, for it is better in some case and worse in none: {', '.join(good)}." if good else ""
    return text + (f" Worse in some case and better in none: {', '.join(bad)}." if bad else "")


PRACTICE = {
    "supported": "Give the critic more updates than the generator.",
    "depends": "Try more updates of the critic only in the cases where they helped here.",
    "not supported": "Do not spend updates on the critic by habit: at equal cost they come out of the generator's.",
}


def _beats(figures: Mapping[str, Any], applies: Any, words: str) -> Verdict:
    better: dict[str, list[str]] = {}
    worse: dict[str, list[str]] = {}
    for name, row in figures["against_even"].items():
        balance, _, case = name.partition(", ")
        if not applies(*map(int, balance.split(":"))):
            continue
        better.setdefault(case, []), worse.setdefault(case, [])
        if sure := sign(row):
            (better if sure > 0 else worse)[case].append(balance)
    gains = [bool(entry) for entry in better.values()]
    word = "supported" if all(gains) else "depends" if any(gains) else "not supported"
    parts = [f"at {case}: {_listed(better[case], 'better')}, {_listed(worse[case], 'worse')}" for case in better]
    return Verdict(word, f"Of the balances with {words}, against {EVEN}, {'; '.join(parts)}.")


def _listed(balances: list[str], word: str) -> str:
    return f"{' and '.join(balances) or 'none'} {'are' if len(balances) > 1 else 'is'} {word}"


def main(config: Config) -> Evidence:
    """Every balance, with and without the penalty, at both budgets."""
    results = {way: {name(*b): measure(*b, way, config) for b in config.balances} for way in (PLAIN, PENALISED)}
    figures = {"cases": case_rows(results), "against_even": gain_rows(results)}
    rule = (
        f"A balance is better than 1:1 where it has more overlap at the {100 * LEVEL:g} % level, by Student's test of "
        "the differences by seed and after Holm's correction over all of them (the intervals in the table are not "
        "corrected). Supported if in each of the four cases (with and without penalty, both budgets) one balance is "
        "better, not supported if in none, else it depends."
    )
    limits = (
        f"One set of data in two dimensions, one loss, Adam of rate {config.rate:g} for both players, "
        f"{config.updates:,} updates of the generator; rate, batch and the weight {config.gamma:g} of R1 were chosen "
        "after three short trials of 5:1, 1:1 and 1:5 in other settings. A balance also changes how far each player "
        "moves in all: other step sizes for the two players (two time scales) are not looked at. Updates are counted, "
        "not seconds: under R1 one of the critic takes longer than one of the generator. The correction for the number "
        "of balances was added after a first full run, in which 1:2 with R1 was ahead by an interval that was not."
    )
    claims = (
        Claim(
            "2g",
            "Remedy: balanced training, for instance training the generator several times for every update of the "
            "discriminator.",
            more_generator(figures),
            rule,
            limits,
            figures,
            config.seeds,
            practice(figures),
        ),
        Claim(
            "2g, the other way round",
            "Training the discriminator several times for every update of the generator helps.",
            more_critic(figures),
            rule,
            limits,
            {"against_even": figures["against_even"]},
            config.seeds,
            PRACTICE[more_critic(figures).word],
        ),
    )
    pictures = {
        "balance.png": Picture(
            "Overlap with the data after training, a dot for each seed and a bar at the mean. Left of 1:1 the critic "
            "is updated more often, right of it the generator.",
            draw_overlaps(results, config),
        ),
        "samples.png": Picture(
            "Samples of the first seed at equal updates of both together, without a penalty; rings are the modes.",
            draw_samples(results[PLAIN]),
        ),
    }
    return Evidence("balance", ABOUT, claims, pictures, dataclasses.asdict(config))


Found = Mapping[str, Mapping[str, Mapping[str, Look]]]  # penalty -> balance -> budget


def name(k_d: int, k_g: int) -> str:
    """How a balance is called: updates of the critic, then of the generator."""
    return f"{k_d}:{k_g}"


def budgets(k_d: int, k_g: int, updates: int) -> dict[str, int]:
    """Steps by budget, the nearest whole numbers of ten.

    >>> budgets(5, 1, 3000), budgets(1, 5, 3000)[ALL]
    ({'equal generator updates': 3000, 'equal updates of both together': 1000}, 1000)
    """
    return {GENERATOR: round(updates / k_g / 10) * 10, ALL: round(2 * updates / (k_d + k_g) / 10) * 10}


def measure(k_d: int, k_g: int, way: str, config: Config) -> dict[str, Look]:
    """All seeds of one balance, looked at after both budgets."""
    spec, penalty = Spec((2,)), r1(config.gamma) if way == PENALISED else None
    parts: dict[str, Any] = {"latent_dim": config.latent, "loss": NON_SATURATING, "penalty": penalty}
    game = gan(spec.generator(), spec.critic(), **parts)
    adam = {player: optax.adam(config.rate, b1=0.5, b2=0.99) for player in ("critic", "generator")}
    turns = (("critic",),) * k_d + (("generator",),) * k_g
    plan = Plan(game, adam, turns, Ema(ema_rate(0.001), ("generator",)), batch_size=config.batch)
    rounds = budgets(k_d, k_g, config.updates)
    results = looks(plan, load("ring8"), seeds=config.seeds, rounds=tuple(rounds.values()))
    return {budget: results[n] for budget, n in rounds.items()}


def case_rows(results: Found) -> dict[str, dict[str, Any]]:
    """A row for each balance, budget and penalty."""
    rows = {}
    for way, balances in results.items():
        for budget in (GENERATOR, ALL):
            for balance, both in balances.items():
                look = both[budget]
                rows[f"{balance}, {budget}, {way}"] = {
                    "overlap_percent": _interval(look.overlaps),
                    "captured_modes": float(np.mean([count.captured for count in look.counts])),
                    "high_quality_percent": float(np.mean([count.high_quality_percent for count in look.counts])),
                    "failed_seeds": int(look.failed.sum()),
                }
    return rows


def gain_rows(results: Found) -> dict[str, dict[str, Any]]:
    """By how much each balance beats 1:1, paired by seed, with p values after Holm's correction over all of them."""
    rows, p = {}, {}
    for way, balances in results.items():
        for budget in (GENERATOR, ALL):
            even = dict(enumerate(balances[EVEN][budget].overlaps))
            for balance, both in balances.items():
                if balance != EVEN:
                    gap = difference(dict(enumerate(both[budget].overlaps)), even)
                    ends = (None if np.isnan(end) else float(end) for end in (gap.low, gap.high))
                    rows[f"{balance}, {budget}, {way}"] = {"more_overlap": [float(gap.mean), *ends]}
                    p[f"{balance}, {budget}, {way}"] = gap.p
    corrected = {name: None if np.isnan(value) else value for name, value in holm(p).items()}
    return {name: {**row, "p_corrected": corrected[name]} for name, row in rows.items()}


def _interval(values: np.ndarray) -> list[float | None]:
    mean, low, high, _ = interval(values.tolist())
    return [mean, *(None if np.isnan(end) else end for end in (low, high))]


def draw_overlaps(results: Found, config: Config) -> bytes:
    """A panel for each budget; dots of the two penalties side by side."""
    picture, axes = plots.figure(
        "The balance of critic and generator, and what it makes of ring8", 5.0, 1, 2, sharey=True
    )
    for panel, budget in zip(axes[0], (GENERATOR, ALL), strict=True):
        for way, colour, aside in ((PLAIN, plots.BLUE, -0.16), (PENALISED, plots.ORANGE, 0.16)):
            for at, both in enumerate(results[way].values()):
                values = both[budget].overlaps
                panel.plot([at + aside] * len(values), values, "o", color=colour, markersize=5, alpha=0.6)
                panel.plot([at + aside - 0.13, at + aside + 0.13], [values.mean()] * 2, color=colour, linewidth=3)
        panel.set_xticks(range(len(config.balances)), [name(*b) for b in config.balances])
        panel.set(title=budget, ylim=(-2, 100))
        panel.set_xlabel("critic updates : generator updates")
    axes[0, 0].set_ylabel("overlap with the data, %")
    plots.label(axes[0, 1], len(config.balances) - 0.6, 93, PLAIN, plots.BLUE, ha="right")
    plots.label(axes[0, 1], len(config.balances) - 0.6, 85, PENALISED, plots.ORANGE, ha="right")
    return plots.png(picture)


def draw_samples(balances: Mapping[str, Mapping[str, Look]]) -> bytes:
    """A panel for each balance."""
    means = np.asarray(load("ring8").modes.means)  # type: ignore[union-attr]
    picture, axes = plots.figure("Equal updates of both together: where the samples are", 3.1, 1, len(balances))
    for panel, (balance, both) in zip(axes[0], balances.items(), strict=True):
        look = both[ALL]
        panel.plot(*look.samples[0, :600].T, "o", color=plots.BLUE, markersize=2, alpha=0.4, markeredgewidth=0)
        panel.plot(*means.T, "o", color=plots.ORANGE, markersize=9, fillstyle="none", markeredgewidth=1.2)
        panel.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal", xticks=[], yticks=[], title=balance)
        panel.set_xlabel(f"overlap {look.overlaps[0]:.0f} %")
    return plots.png(picture)
