"""One model in a comparison: its compiled programs, its share of the time, and what it reaches on one seed.

The time of a seed is split between two trainings: the main one, and one without the anomalous class where that task is
served. A model without an encoder of its own (a GAN) trains one on (G(z), z) inside each share.
"""

import statistics
import time
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxgen.comparison import measures
from jaxgen.comparison.measures import DETECT, REPRESENT, STAGES, SYNTHESISE, Outcome
from jaxgen.core import Model
from jaxgen.data import Data
from jaxgen.games import invert
from jaxgen.metrics.features import Features
from jaxgen.nets import DENSE_LIMIT, networks
from jaxgen.recipes import Recipe
from jaxgen.tasks import anomalies
from jaxgen.training.loop import Diverged, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import Keys, Plan, Program, compile_loop, run_keys
from jaxgen.training.step import State, evaluation_params

MAIN_SHARE = 0.6  # of a seed's time, where anomalies take the rest
ENCODER_SHARE = 1 / 6  # of each training, where an encoder must be trained afterwards


class Contender(NamedTuple):
    """A recipe compiled for the data; programs and models serve all seeds."""

    recipe: Recipe
    program: Program
    model: Any  # (params, carry) -> Model
    inverter: Program | None  # trains the missing encoder
    inverse: Any  # its (params, carry) -> Model
    parameters: dict[str, int]  # by player
    compile_s: float


class Rounds(NamedTuple):
    """How many rounds each training of one seed takes; fixed before the first seed starts."""

    main: int
    encoder: int
    detect: int
    detect_encoder: int


def contender(recipe: Recipe, data: Data) -> Contender:
    """Compiles what the recipe needs on this data.

    Raises:
      BadRequest: what no network takes.
    """
    plan, batch = recipe.plan(data.shape), min(recipe.batch_size, len(data.train.x))
    chunk = 25 if np.prod(data.shape) <= DENSE_LIMIT else 1
    program = compile_loop(plan, data.train.x, batch_size=batch, chunk=chunk)
    state = program.init(run_keys(0).init)
    parameters = {name: sum(a.size for a in jax.tree.leaves(own)) for name, own in state.params.items()}
    inverter = inverse = None
    if plan.game.model(state.params, state.memo.carry).encode is None:
        nets = networks(data.shape, latent_dim=recipe.latent_dim)
        game = invert(plan.game, nets.encoder(recipe.latent_dim))
        inversion = Plan(game, {"encoder": optax.adam(1e-3)}, (("encoder",),), plan.ema)
        inverter = compile_loop(inversion, data.train.x, batch_size=batch, chunk=chunk)
        inverse = compile_model(game)
    compiled = sum(sum(p.compile_s.values()) for p in (program, inverter) if p)
    return Contender(recipe, program, compile_model(plan.game), inverter, inverse, parameters, compiled)


def calibrate(entrant: Contender, seconds: float, *, detects: bool) -> Rounds:
    """Turns a seed's training seconds into rounds, by timing a few dispatches of each program."""
    main = seconds * (MAIN_SHARE if detects else 1.0)
    detect = seconds - main
    each = _seconds_per_round(entrant.program, None)
    if entrant.inverter is None:
        return Rounds(_count(main / each, entrant), 0, _count(detect / each, entrant) if detects else 0, 0)
    trained = entrant.program.init(run_keys(0).init)
    inverse = _seconds_per_round(entrant.inverter, trained)
    share = ENCODER_SHARE
    return Rounds(
        _count(main * (1 - share) / each, entrant),
        _count(main * share / inverse, entrant),
        _count(detect * (1 - share) / each, entrant) if detects else 0,
        _count(detect * share / inverse, entrant) if detects else 0,
    )


def play(
    entrant: Contender, data: Data, features: Features, rounds: Rounds, seed: int, *, tasks: tuple[str, ...]
) -> Outcome:
    """Trains and measures one model on one seed. A diverged training costs the tasks that need it, and is said."""
    outcome = Outcome({}, {}, {}, {}, {}, 0.0, "")

    def measure(model: Model, stage: str):
        measures.measure(outcome, model, stage, data, features, seed, tasks)

    def detect(model: Model, stage: str):
        measures.detect(outcome, model, stage, data, seed)

    spent, failed = 0.0, []
    try:
        model, curve, seconds, lost = _train(entrant, seed, 0, rounds.main, rounds.encoder, measure)
        spent += seconds
        failed += lost
        outcome.curve.update(seed=seed, **curve)
        outcome.pictures.update(measures.pictures(model, data, seed))
    except Diverged as error:
        failed.append(f"main training: {error}")
        for task in (SYNTHESISE, REPRESENT):
            outcome.figures.pop(task, None)
    if DETECT in tasks:
        subset = anomalies.normal_indices(data, anomalies.anomaly_class(data, seed))
        try:
            *_, seconds, lost = _train(entrant, seed, 1, rounds.detect, rounds.detect_encoder, detect, subset=subset)
            spent += seconds
            failed += lost
        except Diverged as error:
            failed.append(f"training without a class: {error}")
            outcome.figures.pop(DETECT, None)
    return outcome._replace(seconds=spent, failed="; ".join(failed))


def _train(entrant: Contender, seed: int, part: int, count: int, encoder: int, measure: Any, *, subset=None):
    """(model, curve, seconds, failures); `measure(model, stage)` at each stage and, with "", at the end, is not timed.

    Stages are read without the encoder that is trained afterwards, so that they compare like with like.
    """
    keys, failures = _keys(seed, part), []
    state, at, spent, curve = entrant.program.init(keys.init), {}, 0.0, []
    for stage in STAGES:
        at[count * int(stage) // 100] = stage
    for chunk in train(entrant.program, state, keys, rounds=count, subset=subset):
        spent, state = spent + chunk.seconds, chunk.state
        curve.append((chunk.round, spent, {f"{turn} loss": info["loss"] for turn, info in chunk.info.items()}))
        if chunk.round in at:
            measure(entrant.model(*_evaluated(state)), at[chunk.round])
    model = entrant.model(*_evaluated(state))
    if entrant.inverter is not None:
        keys = _keys(seed, part + 2)
        start = _with_trained(entrant.inverter, entrant.inverter.init(keys.init), state)
        try:
            for chunk in train(entrant.inverter, start, keys, rounds=encoder, subset=subset):
                spent, start = spent + chunk.seconds, chunk.state
            model = entrant.inverse(*_evaluated(start))
        except Diverged as error:  # the GAN itself is whole
            failures.append(f"its encoder: {error}")
    measure(model, "")
    return model, _thin(curve), spent, failures


def _keys(seed: int, part: int) -> Keys:
    """Keys of one of the four trainings of a seed; no key of one is a key, or the key of a round, of another."""
    base = jax.random.fold_in(jax.random.key(seed), len(Keys._fields) + part)
    return Keys(*(jax.random.fold_in(base, i) for i in range(len(Keys._fields))))


def _evaluated(state: State) -> tuple[Any, Any]:
    """Copies of what a model is made of: the next dispatch takes the state's own buffers back."""
    return jax.tree.map(jax.numpy.copy, (evaluation_params(state), state.memo.carry))


def _with_trained(program: Program, fresh: State, trained: State) -> State:
    carry = {"trained": _evaluated(trained)}
    return program.place(fresh._replace(memo=fresh.memo._replace(carry=carry)))


def _thin(curve: list, most: int = 120) -> dict[str, Any]:
    keep = curve[:: max(1, len(curve) // most)]
    losses = {name: [said[name] for *_, said in keep] for name in keep[0][2]} if keep else {}
    return {"round": [r for r, *_ in keep], "seconds": [round(s, 3) for _, s, _ in keep], "losses": losses}


def _seconds_per_round(program: Program, trained: State | None) -> float:
    keys = run_keys(0)
    state = program.init(keys.init)
    if trained is not None:
        state = _with_trained(program, state, trained)
    times = [c.seconds / c.rounds for c in train(program, state, keys, rounds=5 * program.chunk)]
    return statistics.median(times[1:])


def _count(rounds: float, entrant: Contender) -> int:
    """A multiple of four dispatches, so that a quarter of it ends with one."""
    unit = 4 * entrant.program.chunk
    return max(1, round(rounds / unit)) * unit


def evaluation_seconds(entrant: Contender, data: Data, features: Features, *, tasks: tuple[str, ...]) -> float:
    """How long it takes to measure a seed, from untrained models; it also compiles what measuring needs.

    The first time counts compilation in; where even so it is long, that is little of it, and there is no second.
    """
    state = entrant.program.init(run_keys(0).init)
    early = late = entrant.model(*_evaluated(state))
    if entrant.inverter is not None:
        start = _with_trained(entrant.inverter, entrant.inverter.init(run_keys(0).init), state)
        late = entrant.inverse(*_evaluated(start))
    for _ in range(2):
        began, scratch = time.perf_counter(), Outcome({}, {}, {}, {}, {}, 0.0, "")
        for stage, model in zip((*STAGES, ""), (early, early, early, late), strict=True):
            measures.measure(scratch, model, stage, data, features, 0, tasks)
            if DETECT in tasks:
                measures.detect(scratch, model, stage, data, 0)
        seconds = time.perf_counter() - began
        if seconds > 10:
            break
    return seconds
