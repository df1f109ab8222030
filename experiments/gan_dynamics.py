"""Claim 2a on games of two numbers: do two players that chase each other ever meet?"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import plots
from experiments.evidence import Claim, Evidence, Picture, Verdict
from jaxgen.core import Batch
from jaxgen.games import bilinear, dirac
from jaxgen.objectives import descend, extragradient, r1
from jaxgen.training.dynamics import fitted_log_rate, log_rate, spectrum, trajectory
from jaxgen.training.step import make_step

STILL, CLOSE = 2e-5, 0.01  # a log rate that counts as none; how nearly a prediction has to meet the simulation


@dataclasses.dataclass(frozen=True)
class Config:
    """Step size of both players, weight of R1, and how much is simulated."""

    rate: float = 0.2
    gamma: float = 0.3
    starts: int = 10  # directions from the equilibrium, one for each seed
    radius: float = 1e-5  # their distance from it: there a step is its own linear part
    steps: int = 900
    settle: int = 100  # steps before the fit, in which the faster eigenvalue dies out
    far_steps: int = 500  # from theta = psi = 1


FULL = Config()
QUICK = dataclasses.replace(FULL, starts=3)

GAMES = {"Dirac-GAN": dirac, "bilinear game": bilinear}
TOGETHER, IN_TURN = (("critic", "generator"),), (("generator",), ("critic",))


class Way(NamedTuple):
    """How the two players move."""

    turns: tuple
    rule: Any
    penalised: bool


WAYS = {
    "both at once": Way(TOGETHER, descend, False),
    "in turn": Way(IN_TURN, descend, False),
    "extragradient": Way(TOGETHER, extragradient, False),
    "both at once, R1": Way(TOGETHER, descend, True),
    "in turn, R1": Way(IN_TURN, descend, True),
    "extragradient, R1": Way(TOGETHER, extragradient, True),
}
SHOWN = ("both at once", "in turn", "extragradient", "both at once, R1")

ABOUT = f"""A GAN has two players with opposite aims, and training looks for the point where neither can improve alone:
the Nash equilibrium. The smallest GANs have one number a player, so that everything about them is known. The generator
puts all its samples at the point theta, the data lie at 0, and the critic is the line D(x) = psi x. In the *Dirac-GAN*
the two play for the classic GAN loss, in the *bilinear game* for theta psi itself. Either has its equilibrium at
theta = psi = 0.

What a run does near it follows from one matrix, the derivative of a whole step of training, in which each player moves
once: its largest eigenvalue is the factor by which the distance from the equilibrium changes in each step. So the rate
can be predicted, and then be measured in a run of the same step. Its natural logarithm, per step, is the log rate:
above zero the players drift apart, at zero they circle for ever, below zero they meet. It holds near the equilibrium;
farther off, the loss of the Dirac-GAN is flatter, so that what drifts apart slows down. *Both at once* and *in turn*
are the usual ways to train. *Extragradient* moves by the gradients where a trial move would lead. *R1* is a penalty on
the slope of the critic at the data, here of weight {FULL.gamma:g}; a move is {FULL.rate:g} times the gradient."""

RATE, FORECAST = "simulated_log_rate", ("predicted_log_rate", "largest_difference")
BEHAVIOURS = ("diverges", "circles", "converges")


def behaviour(rate: float) -> str:
    """What a log rate per step means.

    >>> behaviour(0.005), behaviour(1e-7), behaviour(-0.02)
    ('diverges', 'circles', 'converges')
    """
    return BEHAVIOURS[1] if abs(rate) <= STILL else BEHAVIOURS[0 if rate > 0 else 2]


def oscillates(figures: Mapping[str, Any]) -> Verdict:
    """Supported where no simulated case converges, not supported where all do, and else it depends."""
    ways: dict[str, dict[str, list[str]]] = {name: {} for name in BEHAVIOURS}
    games = {case.partition(": ")[2] for case in figures["cases"]}
    for case, row in figures["cases"].items():
        way, _, game = case.partition(": ")
        ways[behaviour(row[RATE])].setdefault(way, []).append(game)
    said = []
    for name in BEHAVIOURS:
        where = [way if len(own) == len(games) else f"{way} ({', '.join(own)})" for way, own in ways[name].items()]
        said += [f"{name.capitalize()}: {'; '.join(where)}."] if where else []
    stays, meets = ways["diverges"] | ways["circles"], ways["converges"]
    return Verdict("supported" if not meets else "depends" if stays else "not supported", " ".join(said))


def predicts(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the spectrum meets the simulation in every case, not supported where in none."""
    apart = [
        case
        for case, row in figures["cases"].items()
        if not row["largest_difference"] <= _allowed(row["predicted_log_rate"])
    ]
    n = len(figures["cases"])
    if not apart:
        worst = max(row["largest_difference"] for row in figures["cases"].values())
        return Verdict(
            "supported", f"Prediction and simulation agree in all {n} cases; they differ by {worst:.1g} at most."
        )
    word = "not supported" if len(apart) == n else "depends"
    return Verdict(word, f"Prediction and simulation disagree in {len(apart)} of {n} cases: {'; '.join(apart)}.")


def _allowed(predicted: float) -> float:
    return STILL if abs(predicted) <= STILL else CLOSE * abs(predicted)


def main(config: Config) -> Evidence:
    """Every game played in every way, near the equilibrium for the rate and far from it for the picture."""
    cases, paths = {}, {}
    for name, way in WAYS.items():
        for game, build in GAMES.items():
            case = f"{name}: {game}"
            penalty = r1(config.gamma) if way.penalised else None
            cases[case], paths[case] = measure(build(penalty=penalty), way, config)
    runs = {"cases": {case: {k: v for k, v in row.items() if k not in FORECAST} for case, row in cases.items()}}
    forecast = {"cases": {case: {k: row[k] for k in (*FORECAST, RATE)} for case, row in cases.items()}}
    claims = (
        Claim(
            "2a",
            "Two competing objectives oscillate or diverge instead of reaching a Nash equilibrium.",
            oscillates(runs),
            f"By the simulated log rate per step: above {STILL:g} diverges, within it circles, below converges. "
            "Supported if no case converges, not supported if all do, else it depends.",
            "Two numbers a player and SGD. Large networks with Adam have the same mechanism and more besides.",
            runs,
            config.starts,
        ),
        Claim(
            "2a, prediction",
            "The largest eigenvalue of one step's derivative tells how fast a run nears or leaves the equilibrium.",
            predicts(forecast),
            f"Each case agrees where the farthest start is off the prediction by at most {100 * CLOSE:g} % of it, "
            f"or by {STILL:g} where it is zero.",
            f"Starts {config.radius:g} from the equilibrium; far from it the rate may be another.",
            forecast,
            config.starts,
        ),
    )
    pictures = {
        "trajectories.png": Picture(
            "The path of the two numbers from theta = psi = 1 (ring) for 150 steps; the cross is the equilibrium.",
            draw_trajectories(paths, cases, config),
        ),
        "rates.png": Picture(
            "Rings are predictions from the derivative of one step, dots the rates of simulated runs.",
            draw_rates(cases),
        ),
    }
    return Evidence("gan_dynamics", ABOUT, claims, pictures, dataclasses.asdict(config))


def measure(game: Any, way: Way, config: Config) -> tuple[dict[str, float], np.ndarray]:
    """Figures of one case, and its path from theta = psi = 1, f64[steps + 1, 2] as (psi, theta)."""
    step = make_step(game, dict.fromkeys(("critic", "generator"), optax.sgd(config.rate)), way.turns, rule=way.rule)
    key, batches = jax.random.key(0), Batch(jnp.zeros((len(way.turns), 1, 1)))  # the data lie at 0, and noise is idle

    def at(psi, theta):
        state = step.init(key, jax.tree.map(lambda a: a[0], batches))
        return state._replace(params={"critic": jnp.float32(psi), "generator": jnp.float32(theta)})

    eigenvalues = spectrum(step, at(0.0, 0.0), key, batches)
    rates = []
    for angle in np.asarray(draw_angles(config.starts), np.float64):
        start = at(config.radius * math.cos(angle), config.radius * math.sin(angle))
        path = trajectory(step, start, key, batches, steps=config.steps)
        rates.append(fitted_log_rate(np.linalg.norm(path, axis=1)[config.settle :], eigenvalues))
    predicted = log_rate(eigenvalues)
    far = trajectory(step, at(1.0, 1.0), key, batches, steps=config.far_steps)
    figures = {
        "predicted_log_rate": predicted,
        RATE: float(np.mean(rates)),
        "largest_difference": float(np.max(np.abs(np.subtract(rates, predicted)))),
        f"distance_after_{config.far_steps}_steps_from_1.41": float(np.linalg.norm(far[-1])),
    }
    return figures, far


def draw_angles(n: int) -> jax.Array:
    """Directions of n starts; start i is the same whatever n is."""
    keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(0)))(jnp.arange(n))
    return jax.vmap(lambda key: jax.random.uniform(key, maxval=2 * math.pi))(keys)


def draw_trajectories(paths: Mapping[str, np.ndarray], cases: Mapping[str, Any], config: Config) -> bytes:
    """A panel for each game and way."""
    picture, axes = plots.figure(
        "Two games, four ways to train each: the path of the two players", 6.6, len(GAMES), len(SHOWN)
    )
    for row, game in zip(axes, GAMES, strict=True):
        for panel, way in zip(row, SHOWN, strict=True):
            path = paths[f"{way}: {game}"][: min(150, config.far_steps) + 1]
            panel.plot(path[:, 1], path[:, 0], color=plots.BLUE, linewidth=1.3)
            panel.plot(1, 1, "o", color=plots.ORANGE, markersize=9, fillstyle="none", markeredgewidth=2)
            panel.plot(0, 0, "+", color=plots.INK, markersize=13, markeredgewidth=2)
            reach = 1.1 * max(1.5, float(np.abs(path).max()))
            panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            panel.locator_params(nbins=3)
            panel.set_title(f"{way}\n{behaviour(cases[f'{way}: {game}']['simulated_log_rate'])}", fontsize=13)
            if game == list(GAMES)[-1]:
                panel.set_xlabel("generator theta")
        row[0].set_ylabel(f"{game}\ncritic psi")
    return plots.png(picture)


def draw_rates(cases: Mapping[str, Mapping[str, float]]) -> bytes:
    """A line for each case, least rate below."""
    order = sorted(cases, key=lambda case: cases[case]["predicted_log_rate"])
    picture, axes = plots.figure("How fast each way of training nears or leaves the equilibrium", 6.2)
    panel = axes[0, 0]
    predicted, simulated = (
        [1000 * cases[case][f"{kind}_log_rate"] for case in order] for kind in ("predicted", "simulated")
    )
    panel.axvline(0, color=plots.FAINT, linewidth=1)
    panel.plot(
        predicted, range(len(order)), "o", color=plots.ORANGE, markersize=13, fillstyle="none", markeredgewidth=2
    )
    panel.plot(simulated, range(len(order)), "o", color=plots.BLUE, markersize=6)
    panel.set_yticks(range(len(order)), order)
    panel.tick_params(axis="y", length=0)
    panel.set_xlabel("log rate: change of log distance from the equilibrium, per 1000 steps")
    panel.set_ylim(-0.7, len(order) + 0.6)
    low, high = panel.get_xlim()
    top = len(order) + 0.1
    plots.label(panel, low / 2, top, "converges", plots.INK, ha="center", fontweight="bold")
    plots.label(panel, high / 2, top, "diverges", plots.INK, ha="center", fontweight="bold")
    plots.label(panel, low * 0.98, len(order) - 2.2, "ring: predicted", plots.ORANGE)
    plots.label(panel, low * 0.98, len(order) - 3.1, "dot: simulated", plots.BLUE)
    return plots.png(picture)
