"""One model in a comparison: its compiled programs.

On each seed it has one or more trainings (`jaxgen.tasks.Training`), and after each of them its tasks are measured. A
model that has no encoder (a GAN) trains one on (G(z), z) after each training.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxgen.core import BadRequest, Model
from jaxgen.data import Data
from jaxgen.games import invert
from jaxgen.nets import convolves
from jaxgen.recipes import Recipe, Spec, build, side
from jaxgen.runs import conditions
from jaxgen.runs.inputs import source_for
from jaxgen.system.allocator import give_back
from jaxgen.tasks import Training
from jaxgen.tasks.task import Form
from jaxgen.training.compiled import compilers
from jaxgen.training.devices import shared_size
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, Program, compile_loop
from jaxgen.training.sources import Source, arrays
from jaxgen.training.step import Ema, State, ema_rate, evaluation_params


class Contender(NamedTuple):
    """A recipe compiled for the data; programs and models serve all seeds."""

    plan: Plan
    program: Program
    model: Any  # (params, state) -> Model
    inverter: Program | None  # trains the missing encoder
    inverse: Any  # (params, state) -> Model, of the inverter
    parameters: dict[str, int]  # number of parameters by player
    source: Callable[[Data], Source] = lambda data: arrays(data.train.x)  # data in the training's form -> its batches
    side: str = "vae"  # the side it counts for: "vae", "gan" or "hybrid"
    forms: Mapping[str, Any] = {}  # name of a `Form` -> the contender for its trainings, or a str why there is none

    def of(self, training: Training) -> "Contender":
        """The programs of a training, for which `plays` must be true."""
        return self if training.form is None else self.forms[training.form.name]

    def wait(self) -> None:
        """Returns when all programs are compiled; raises the error of one that could not be."""
        for program in (self.program, self.inverter):
            if program is not None:
                program.wait()
        for form in self.forms.values():
            if isinstance(form, Contender):
                form.wait()

    def plays(self, training: Training) -> bool:
        """Whether this model can do the training."""
        return training.form is None or isinstance(self.forms.get(training.form.name), Contender)

    def on(self, data: Data, place: Callable[[Source], Source] = lambda source: source) -> "Contender":
        """The programs on other data of the same shapes, such as another split, in the form of the training.

        `place` may copy the examples to the devices, once for all contenders that share them.
        """
        return self._serve(place(self.source(data)))

    def bare(self) -> "Contender":
        """The contender without examples, so that those of the first seed are not kept in memory; `on` sets others."""
        forms = {
            name: contender.bare() if isinstance(contender, Contender) else contender
            for name, contender in self.forms.items()
        }
        nothing = Source((), _no_examples, lambda resident, fetched: _no_examples(), ())
        return self._serve(nothing)._replace(forms=forms)

    def _serve(self, source: Source) -> "Contender":
        inverter = None if self.inverter is None else self.inverter.serve(source)
        return self._replace(program=self.program.serve(source), inverter=inverter)


class Steps(NamedTuple):
    """The steps of one training of one model: those done, or those to repeat."""

    model: int = 0
    encoder: int = 0  # steps of the encoder that is trained afterwards
    stages: tuple[int, ...] = ()  # steps of the model at which the stages before the last were measured


class Seconds(NamedTuple):
    """The time of one training of one model. The training ends with the chunk of steps whose end is nearest to it."""

    model: float
    encoder: float = 0.0


Lengths = Mapping[str, Steps | Seconds]  # name of a training -> the steps or seconds that it shall have
Counts = Mapping[str, Steps]  # name of a training -> the steps that it had


def _no_examples(*args: Any) -> Any:
    raise AssertionError("a contender needs data: call `on` first")


def compiled(
    recipe: Recipe, data: Data, trainings: Sequence[Training] = (), formed: Callable[[Form], Data] | None = None
) -> Contender:
    """Compiles all programs that the recipe needs for these trainings on this data.

    Args:
      recipe: the model.
      data: of the first seed.
      trainings: what the model is trained for.
      formed: form -> the data in this form.

    Raises:
      BadRequest: if no network takes the data.
    """
    return compiled_together({"": recipe}, data, trainings, formed)[""]


def compiled_together(
    recipes: Mapping[str, Recipe],
    data: Data,
    trainings: Sequence[Training] = (),
    formed: Callable[[Form], Data] | None = None,
) -> dict[str, Contender]:
    """`compiled` of several recipes, by name; programs are compiled side by side.

    Raises:
      BadRequest: what no network takes.
    """
    formed = formed or (lambda form: form.data(data))
    pool = compilers()
    try:
        contenders = {name: _of_recipe(recipe, data, trainings, formed, pool) for name, recipe in recipes.items()}
        for contender in contenders.values():
            contender.wait()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # after an error nobody waits for what is still compiled
    give_back()  # what the compiler needed
    return contenders


def _of_recipe(
    recipe: Recipe, data: Data, trainings: Sequence[Training], formed: Callable[[Form], Data], pool: Executor
) -> Contender:
    spec = Spec(data.shape)
    plan = build(recipe, spec, {})
    main, model_side = _compiled(plan, data, lambda data: arrays(data.train.x), spec, pool), side(plan)
    forms = {form.name: _of_form(form, model_side, recipe, data, formed, pool) for form in _forms(trainings)}
    return main._replace(side=model_side, forms=forms)


def _forms(trainings: Sequence[Training]) -> list[Form]:
    return list({training.form.name: training.form for training in trainings if training.form is not None}.values())


def _of_form(
    form: Form, model_side: str, recipe: Recipe, data: Data, formed: Callable[[Form], Data], pool: Executor
) -> Contender | str:
    """The contender for trainings of a form, or a message why the recipe cannot do them."""
    recipe, text = form.configure(model_side, recipe, data)
    formed_data = formed(form)
    condition = conditions.condition_of(text, formed_data.shape, len(formed_data.classes))
    domains = formed_data.classes if len(formed_data.classes) == 2 else ()
    spec = Spec(formed_data.shape, None if condition is None else condition.form, domains=domains)
    try:
        plan = build(recipe, spec, {})
    except BadRequest as error:
        return str(error)

    def source(data: Data) -> Source:
        return source_for(plan, data, condition)

    return _compiled(plan, formed_data, source, None, pool)._replace(source=source, side=model_side)


def invertible(model: Model) -> bool:
    """Whether an encoder can be trained for this model: it has none, and it decodes a z that it draws."""
    return model.encode is None and model.draw is not None and model.decode is not None


def _compiled(plan: Plan, data: Data, source: Callable[[Data], Source], spec: Spec | None, pool: Executor) -> Contender:
    """The programs of one plan. With `spec`, an encoder is trained if the game has none; `data` are in its form."""
    examples = len(data.train.x) if not plan.domains else int(np.bincount(data.train.label).min())
    plan = plan._replace(batch_size=shared_size(min(plan.batch_size, examples), None, unit=plan.unit))
    # On CPU a convolutional step takes long, so a chunk of many steps could not end near the end of its time.
    slow = convolves(data.shape) and jax.default_backend() == "cpu"
    batches, chunk = source(data), 1 if slow else 25
    program = compile_loop(plan, batches, chunk=chunk, pool=pool)
    state = program.abstract
    parameters = {name: sum(a.size for a in jax.tree.leaves(params)) for name, params in state.params.items()}
    inverter, inverse = None, None
    if spec is not None and invertible(plan.game.model(state.params, state.context.state)):

        def code(params: Any, state: Any) -> Any:
            draw = plan.game.model(params, state).draw
            assert draw is not None
            return draw(jax.random.key(0), 1)

        (latent_dim,) = jax.eval_shape(code, state.params, state.context.state).shape[1:]
        game = invert(plan.game, spec.encoder(latent_dim))
        ema = Ema(ema_rate(0.001))
        inversion = Plan(game, {"encoder": optax.adam(1e-3)}, (("encoder",),), ema, batch_size=plan.batch_size)
        inverter = compile_loop(inversion, batches, chunk=chunk, pool=pool)
        inverse = compile_model(game)
    return Contender(plan, program, compile_model(plan.game), inverter, inverse, parameters, source=source)


def evaluated(state: State) -> tuple[Any, Any]:
    """Copies of (evaluation params, state), because the next dispatch donates the buffers of the training state."""
    return jax.tree.map(jax.numpy.copy, (evaluation_params(state), state.context.state))


def with_trained(inverter: Program, fresh: State, trained: State) -> State:
    """The initial state for training the encoder of a trained GAN."""
    state = {**fresh.context.state, "trained": evaluated(trained)}
    return inverter.place(fresh._replace(context=fresh.context._replace(state=state)))
