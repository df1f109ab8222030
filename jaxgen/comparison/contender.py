"""One model in a comparison: its compiled programs, and what it reaches on one seed.

A seed is one or more trainings (`jaxgen.tasks.Training`), and after each of them its tasks are measured. A model
without an encoder of its own (a GAN) trains one on (G(z), z) after each training.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxgen.comparison.outcome import STAGES, Outcome, draw_pictures, empty, measure, measure_without, trainings
from jaxgen.core import BadRequest, Model
from jaxgen.data import Data
from jaxgen.games import invert
from jaxgen.nets import convolves
from jaxgen.recipes import Recipe, Spec, build, side
from jaxgen.runs import conditions
from jaxgen.runs.inputs import source_for
from jaxgen.runs.recorder import record
from jaxgen.tasks import MAIN, Reference, Task, Training
from jaxgen.tasks.task import Form
from jaxgen.training.devices import shared_size
from jaxgen.training.loop import Chunk, Diverged, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import Keys, Plan, Program, compile_loop, run_keys
from jaxgen.training.sources import Source, arrays, positions
from jaxgen.training.step import Ema, State, ema_rate, evaluation_params


class Contender(NamedTuple):
    """A recipe compiled for the data; programs and models serve all seeds."""

    plan: Plan
    program: Program
    model: Any  # (params, state) -> Model
    inverter: Program | None  # trains the missing encoder
    inverse: Any  # its (params, state) -> Model
    parameters: dict[str, int]  # by player
    compile_s: float
    source: Callable[[Data], Source] = lambda data: arrays(data.train.x)  # of the data that it trains on
    side: str = "vae"  # that it speaks for: "vae", "gan" or "hybrid"
    forms: Mapping[str, Any] = {}  # name of a `Form` -> the contender of its trainings, or why there is none

    def of(self, training: Training) -> "Contender":
        """The programs of a training. It is one that `plays` is true of."""
        return self if training.form is None else self.forms[training.form.name]

    def plays(self, training: Training) -> bool:
        """Whether it can be trained so."""
        return training.form is None or isinstance(self.forms.get(training.form.name), Contender)

    def on(self, data: Data, place: Callable[[Source], Source] = lambda source: source) -> "Contender":
        """The programs of the main form on other data of the same shapes, such as another split.

        `place` may put the examples on the devices, once for all that share them.
        """
        source = place(self.source(data))
        inverter = None if self.inverter is None else self.inverter.serve(source)
        return self._replace(program=self.program.serve(source), inverter=inverter)


class Steps(NamedTuple):
    """The steps that one training of one model played, or is to play again."""

    model: int = 0
    encoder: int = 0  # of the one that is trained afterwards
    stages: tuple[int, ...] = ()  # of the model, at which the stages before the last were read


class Seconds(NamedTuple):
    """The time of one training of one model: it ends with the chunk of steps whose end is nearest to it."""

    model: float
    encoder: float = 0.0


Lengths = Mapping[str, Steps | Seconds]  # what is to be played, by the name of the training
Counts = Mapping[str, Steps]  # what was played
OnTrained = Callable[[State, Sequence[Mapping[str, Any]]], None]


def compiled(recipe: Recipe, data: Data, trainings: Sequence[Training] = ()) -> Contender:
    """What the recipe needs on this data for these trainings, compiled.

    Raises:
      BadRequest: what no network takes.
    """
    spec = Spec(data.shape)
    plan = build(recipe, spec, {})
    main = _compiled(plan, data, lambda data: arrays(data.train.x), spec)
    own = side(plan)
    forms = {form.name: _of_form(form, own, recipe, data) for form in _forms(trainings)}
    seconds = main.compile_s + sum(made.compile_s for made in forms.values() if isinstance(made, Contender))
    return main._replace(side=own, forms=forms, compile_s=seconds)


def _forms(trainings: Sequence[Training]) -> list[Form]:
    return list({training.form.name: training.form for training in trainings if training.form is not None}.values())


def _of_form(form: Form, own: str, recipe: Recipe, data: Data) -> Contender | str:
    """The contender of a form, or why there is none."""
    recipe, text = form.told(own, recipe, data)
    formed = form.data(data)
    condition = conditions.condition_of(text, formed.shape, len(formed.classes))
    domains = formed.classes if len(formed.classes) == 2 else ()
    spec = Spec(formed.shape, None if condition is None else condition.form, domains=domains)
    try:
        plan = build(recipe, spec, {})
    except BadRequest as error:
        return str(error)

    def source(data: Data) -> Source:
        return source_for(plan, form.data(data), condition)

    return _compiled(plan, formed, source, None)._replace(source=source, side=own)


def _compiled(plan: Plan, data: Data, source: Callable[[Data], Source], spec: Spec | None) -> Contender:
    """`spec` if an encoder is trained for a game without one; `data` are in the form of the training."""
    examples = len(data.train.x) if not plan.domains else int(np.bincount(data.train.label).min())
    plan = plan._replace(batch_size=shared_size(min(plan.batch_size, examples), None, unit=plan.unit))
    # On CPU a step of convolutions is long: a chunk of them would be too coarse a unit of time.
    slow = convolves(data.shape) and jax.default_backend() == "cpu"
    seen, chunk = source(data), 1 if slow else 25
    program = compile_loop(plan, seen, chunk=chunk)
    state = program.init(run_keys(0).init)
    parameters = {name: sum(a.size for a in jax.tree.leaves(own)) for name, own in state.params.items()}
    model, inverter, inverse = plan.game.model(state.params, state.context.state), None, None
    if spec is not None and model.encode is None and model.draw is not None:
        draw = model.draw
        (latent_dim,) = jax.eval_shape(lambda: draw(jax.random.key(0), 1)).shape[1:]
        game = invert(plan.game, spec.encoder(latent_dim))
        ema = Ema(ema_rate(0.001))
        inversion = Plan(game, {"encoder": optax.adam(1e-3)}, (("encoder",),), ema, batch_size=plan.batch_size)
        inverter = compile_loop(inversion, seen, chunk=chunk)
        inverse = compile_model(game)
    seconds = sum(sum(p.compile_s.values()) for p in (program, inverter) if p)
    return Contender(plan, program, compile_model(plan.game), inverter, inverse, parameters, seconds, source)


def play(
    contender: Contender,
    reference: Reference,
    lengths: Lengths,
    seed: int,
    *,
    tasks: Sequence[Task],
    parts: Sequence[Reference] = (),
    on_seconds: Callable[[float], None] = lambda seconds: None,
    on_trained: OnTrained = lambda state, records: None,
) -> Outcome:
    """Trains and measures one model on one seed. A training that diverges costs its tasks, and the outcome says so.

    Args:
      contender: with the programs on the data of the seed.
      reference: what it is measured against, with these data.
      lengths: of each training.
      seed: of everything random.
      tasks: those that are measured.
      parts: references of some of the same test examples each, against which headlines are measured again.
      on_seconds: called with the seconds of training since the last call.
      on_trained: called with the state of the main training and its lines, as in `metrics.jsonl`.
    """
    outcome, seconds, failed = empty(), 0.0, []
    for training in trainings(tasks):
        if not contender.plays(training):
            continue
        own = contender if training.form is None else contender.of(training).on(reference.data)
        seen = reference.data if training.form is None else training.form.data(reference.data)

        def at_stage(model: Model, stage: str | None, training: Training = training):
            measure(outcome, model, training, reference, seed, tasks, stage)
            if stage is None:
                measure_without(outcome, model, training, parts, seed, tasks)

        played = _Played(lengths[training.name], on_seconds)
        keeping = on_trained if training == MAIN else None
        try:
            trained = _train(own, seen, training, played, seed, at_stage, keeping)
        except Diverged as error:
            failed.append(f"{training.title}: {error}")
            seconds += played.spent
            continue
        finally:
            outcome.steps[training.name] = played.steps
        seconds += trained.seconds
        failed += trained.failures
        draw_pictures(outcome, trained.model, training, reference, seed)
        if training == MAIN:
            outcome.curve.update(seed=seed, **trained.curve)
    return outcome._replace(seconds=seconds, failed="; ".join(failed))


class _Trained(NamedTuple):
    model: Model
    curve: dict[str, Any]
    seconds: float
    failures: list[str]


class _Played:
    """How far a training has come, of what it was given."""

    def __init__(self, length: Steps | Seconds, on_seconds: Callable[[float], None] = lambda seconds: None):
        """`length`: the steps to play again, or the time to play for."""
        self.length, self.steps, self._due, self._on_seconds = length, Steps(), list(STAGES[:-1]), on_seconds
        self.spent = 0.0  # seconds of all its parts

    def chunks(self, part: str, program: Program, state: State, keys: Keys, fetch: Any) -> Iterator[Chunk]:
        """The chunks of `part`, "model" or "encoder"."""
        end = getattr(self.length, part)
        timed, spent = isinstance(self.length, Seconds), 0.0
        for chunk in train(program, state, keys, steps=None if timed else end, fetch=fetch):
            spent += chunk.seconds
            self.spent += chunk.seconds
            self._on_seconds(chunk.seconds)
            self.steps = Steps(**{**self.steps._asdict(), part: chunk.step})
            yield chunk
            if timed and spent + chunk.seconds / 2 >= end:
                return

    def stages(self, seconds: float) -> list[str]:
        """The stages that the model has reached by now, after `seconds`, and that were not read yet."""
        reached = []
        while self._due:
            length, at = self.length, len(STAGES) - 1 - len(self._due)
            if isinstance(length, Seconds):
                late = seconds >= length.model * int(self._due[0]) / 100
            else:
                late = at < len(length.stages) and self.steps.model >= length.stages[at]
            if not late:
                break
            reached.append(self._due.pop(0))
            self.steps = self.steps._replace(stages=(*self.steps.stages, self.steps.model))
        return reached


def _train(
    contender: Contender,
    data: Data,
    training: Training,
    played: _Played,
    seed: int,
    measure: Callable[[Model, str | None], None],
    on_trained: OnTrained | None = None,
) -> _Trained:
    """One training; `measure(model, stage)` at each stage and, with None, at the end, is not timed.

    Stages are read without the encoder that is trained afterwards, so that they compare like with like.
    """
    kept = None if training.keep is None else positions(len(data.train.x), subset=training.keep(data, seed))
    keys, failures = training_keys(seed, training.streams[0]), []
    state, seconds, curve, records = contender.program.init(keys.init), 0.0, [], []
    for chunk in played.chunks("model", contender.program, state, keys, kept):
        seconds, state = seconds + chunk.seconds, chunk.state
        curve.append((chunk.step, seconds, {f"{turn} loss": info["loss"] for turn, info in chunk.info.items()}))
        records.append(record(chunk))
        for stage in played.stages(seconds):
            measure(contender.model(*evaluated(state)), stage)
    model = contender.model(*evaluated(state))
    measure(model, STAGES[-1])
    if on_trained is not None:
        on_trained(state, records)
    if contender.inverter is not None:
        keys = training_keys(seed, training.streams[1])
        inverting = with_trained(contender.inverter, contender.inverter.init(keys.init), state)
        try:
            for chunk in played.chunks("encoder", contender.inverter, inverting, keys, kept):
                seconds, inverting = seconds + chunk.seconds, chunk.state
            model = contender.inverse(*evaluated(inverting))
        except Diverged as error:  # the GAN itself is whole
            failures.append(f"its encoder: {error}")
    measure(model, None)
    return _Trained(model, _thin(curve), seconds, failures)


def training_keys(seed: int, stream: int) -> Keys:
    """Keys of one stream of a seed; no key of one is a key, or the key of a step, of another."""
    base = jax.random.fold_in(jax.random.key(seed), len(Keys._fields) + stream)
    return Keys(*(jax.random.fold_in(base, i) for i in range(len(Keys._fields))))


def evaluated(state: State) -> tuple[Any, Any]:
    """Copies of what a model is made of: the next dispatch takes the state's own buffers back."""
    return jax.tree.map(jax.numpy.copy, (evaluation_params(state), state.context.state))


def with_trained(inverter: Program, fresh: State, trained: State) -> State:
    """The state in which the encoder of a trained GAN begins."""
    state = {**fresh.context.state, "trained": evaluated(trained)}
    return inverter.place(fresh._replace(context=fresh.context._replace(state=state)))


def _thin(curve: list, most: int = 120) -> dict[str, Any]:
    keep = curve[:: max(1, len(curve) // most)]
    losses = {name: [losses[name] for *_, losses in keep] for name in keep[0][2]} if keep else {}
    return {"step": [n for n, *_ in keep], "seconds": [round(s, 3) for _, s, _ in keep], "losses": losses}
