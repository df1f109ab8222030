"""The type of a task: what is trained for it, what is measured of the models, and what the page shows."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.core import Model
from jaxgen.data import Data
from jaxgen.metrics.features import Axes, Features, principal_axes
from jaxgen.metrics.natural import IMAGES
from jaxgen.metrics.quality import nearest_ratio
from jaxgen.recipes import Recipe
from jaxgen.tasks.evaluation import looked_at, most, some_of
from jaxgen.tasks.naive import fitted_gaussian

BASELINE = "baseline: "  # the prefix of the names of baselines, which distinguishes them from models
REFERENCES = 20_000  # the most training examples that are searched for copies
CHECKED = 1000  # the most examples or samples whose nearest training examples are searched
COMPONENTS = 16  # principal components with which representations of models are compared
SHARE = (0.0, 1.0)  # the bounds of a share
SIZE = (0.0, float("inf"))  # the bounds of a figure that is never negative


class Margin(NamedTuple):
    """The difference of two figures up to which they count as equal."""

    size: float
    relative: bool = False  # True if `size` is a share of the larger mean, not in the figure's units

    def of(self, a: Mapping[int, float], b: Mapping[int, float]) -> float:
        """The margin in the figure's units, between figures by seed.

        >>> Margin(0.02).of({0: 0.5}, {0: 0.6}), Margin(0.1, relative=True).of({0: 2.0}, {0: 3.0, 1: 5.0})
        (0.02, 0.4)
        """
        if not self.relative:
            return self.size
        return self.size * max(abs(sum(values.values()) / len(values)) for values in (a, b))


class Metric(NamedTuple):
    """The meaning of a figure, and its direction."""

    higher_is_better: bool | None  # None: neither direction is better
    headline: bool  # the figure that the task's verdict rests on
    about: str
    unit: str  # "" for a pure number
    bounds: tuple[float, float] | None = None  # the figure cannot lie outside them
    margin: Margin | None = None  # of a headline: two figures that differ by less are equal
    veto: str = ""  # why a model is not chosen if the interval of its figure is above twice that of real data
    usual: float = 0.0  # the figure that real data have by construction; small sets of them may have less


class Reading(NamedTuple):
    """The figures of one model on one seed, and the score or layer that validation data chose."""

    figures: dict[str, float]
    chosen: str  # name of the score or layer; "" if there was none to choose


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """What models are measured against: the data, and values derived from them, computed once when first needed."""

    data: Data
    features: Features  # the space in which samples are compared
    halves: np.ndarray | None = None  # bool [2, N]: how test examples are divided (`halves_of`); None: at random
    natural_known: Callable[[], np.ndarray] | None = None  # returns `natural_test`, if it is already computed
    _formed: dict[str, Data] = dataclasses.field(default_factory=dict)  # by name of the form
    _once: dict[Callable, Any] = dataclasses.field(default_factory=dict)  # by the function that computed it

    def formed(self, form: "Form | None") -> Data:
        """The data for trainings of this form, computed once, so that all models and baselines share one copy."""
        if form is None:
            return self.data
        if form.name not in self._formed:
            self._formed[form.name] = form.data(self.data)
        return self._formed[form.name]

    def once(self, make: Callable[["Reference"], Any]) -> Any:
        """`make(reference)`, computed once, for values that depend on the data alone and so serve all models."""
        if make not in self._once:
            self._once[make] = make(self)
        return self._once[make]

    def release(self) -> None:
        """Frees the results of `formed` and `once`, which may take as much memory as the training examples."""
        self._formed.clear()
        self._once.clear()

    @cached_property
    def test(self) -> np.ndarray:
        """Features of the evaluated test examples, float64 [N, F]."""
        return self.features.embed(looked_at(self.data.test).x)

    @cached_property
    def natural_test(self) -> np.ndarray:
        """Features in the second space, of a random 1,024 of the evaluated test examples or of all of them."""
        natural = self.features.natural
        assert natural is not None
        if self.natural_known is not None:
            return self.natural_known()
        test = looked_at(self.data.test)
        return natural(test.x[some_of(len(test.x), IMAGES)])

    @cached_property
    def train(self) -> np.ndarray:
        """Features of the training examples that are searched for copies: of all, or of a random 20,000."""
        x = self.data.train.x
        if len(x) > REFERENCES:
            x = x[np.sort(np.random.default_rng(0).choice(len(x), REFERENCES, replace=False))]
        return self.features.embed(x)

    @cached_property
    def usual_ratio(self) -> np.ndarray:
        """`nearest_ratio` of at most a thousand test examples to training examples."""
        return nearest_ratio(self.test[:CHECKED], self.train)

    @cached_property
    def axes(self) -> Axes:
        """The first 16 principal axes of the training examples."""
        return principal_axes(self.data.train.x, COMPONENTS)

    @cached_property
    def gaussian(self) -> Callable[[int, int], np.ndarray]:
        """(seed, n) -> n samples of a Gaussian fitted to the training examples; images are clipped to [0, 1]."""
        return fitted_gaussian(self.data.train.x, image=self.data.kind == "image")


class Form(NamedTuple):
    """How a training differs from the main one in the inputs of its networks: other examples, a condition, or a game.

    Trainings of one form share compiled programs; trainings without a form share those of the main training.
    """

    name: str
    data: Callable[[Data], Data]  # the data of a seed -> the data to train on; only the train split is used
    configure: Callable[[str, Recipe, Data], tuple[Recipe, str | None]]
    """(side, recipe, data) -> (the recipe that a model of that side trains, its condition in the words of
    `--condition`). A model whose recipe cannot take this condition is left out, with a note."""
    size: Callable[[Data], int] = lambda data: len(data.train.x)  # the number of training examples after `data`


class Training(NamedTuple):
    """A training that each model does once per seed. Tasks that name the same training share it."""

    name: str  # in report.json
    words: str  # how it differs from the main training, as in "trained ... without the anomalies"; "" for MAIN
    share: float  # its time, as a share of the time of the main training
    streams: tuple[int, int]  # random streams of the training and of its encoder, used by no other training
    keep: Callable[[Data, int], np.ndarray] | None = None  # (data, seed) -> positions in train; None: all of them
    form: Form | None = None  # None: the form of the main training

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return f"training {self.words}" if self.words else "main training"

    @property
    def in_words(self) -> str:
        """Its share of the time, in words.

        >>> Training("a", "apart", 0.4, (8, 9)).in_words
        '0.4 of the time of the main training'
        """
        return f"{self.share:g} of the time of the main training"

    def examples(self, data: Data, seed: int) -> int:
        """The number of its training examples."""
        if self.keep is not None:
            return len(self.keep(data, seed))
        return len(data.train.x) if self.form is None else self.form.size(data)


MAIN = Training("main", "", 1.0, (0, 2))


class Picture(NamedTuple):
    """Examples of each model that the page shows next to real ones."""

    title: str
    about: str
    render: Callable[[Model, Data, jax.Array], np.ndarray | None]  # (model, data, key); None where a model has none
    real: Callable[[Data], np.ndarray]
    columns: int | None = None  # images in a row, if a row has a meaning


def no_baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    """The baselines of a task that has none."""
    return {}


def no_floor(reference: Reference) -> dict[str, float]:
    """The figures of real data for a task in which they have none."""
    return {}


def no_notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    """The notes of a task that has none."""
    return ()


def split_is_drawn(data: Data) -> bool:
    """Whether each seed draws the test split that all models of that seed are measured on."""
    return "test" not in data.official


class Task(NamedTuple):
    """Everything that a comparison needs to know about a task.

    A figure that a model cannot have is absent and never replaced; a `Reading` without figures is a failure.
    """

    name: str  # in report.json
    title: str  # on the page
    setting: str  # the row of `jaxgen.tasks.SETTINGS` that it decides
    about: str  # a sentence or two under the title
    training: Training
    servable: Callable[[Data], str | None]  # None, or in one line why these data cannot serve it
    metrics: Callable[[Data], Mapping[str, Metric]]  # one of them is the headline
    measure: Callable[[Model, Reference, int, jax.Array, str | None], Reading]
    """(model, reference, seed, key, stage): at a stage, such as "25" per cent of the training, only the headline."""
    baselines: Callable[[Reference, int], Mapping[str, Mapping[str, float]]] = no_baselines
    """(reference, seed) -> figures of methods without a trained model, by names that begin with `BASELINE`."""
    floor: Callable[[Reference], Mapping[str, float]] = no_floor  # figures of real data, if they have any
    notes: Callable[[Data, Sequence[int]], Sequence[str]] = no_notes  # (data, seeds) -> what a reader must know
    pictures: tuple[Picture, ...] = ()  # of models of its training, shown even if the data cannot serve the task
    titles: Mapping[str, str] = {}  # titles of metrics, if not their name with blanks
    group: Callable[[Data, int], str] | None = None  # (data, seed) -> what the seed is measured on, if seeds differ
    words: Callable[[Reference], Callable[[float], str]] | None = None
    """reference -> (mean of the headline -> what it is comparable to, as the end of a sentence, or "")."""
    encodes: bool = False  # whether figures change if an encoder is trained afterwards
    paired: Callable[[Data], bool] = split_is_drawn  # whether figures of a seed depend on something drawn for it
    tested: Callable[[Data], int] = lambda data: min(len(data.test.x), most(data.shape))
    """data -> the number of test examples from which the headline is computed."""
    grouped: Callable[[Data], bool] = lambda data: True
    """Whether the headline is computed from exactly the evaluated test examples. If so, it can be measured again
    without each group of them (`jaxgen.tasks.groups`)."""


def headline(metrics: Mapping[str, Metric]) -> str:
    """The name of the metric that decides the task."""
    return next(name for name, metric in metrics.items() if metric.headline)


def titled(task: Task, metric: str) -> str:
    """The title of a metric of a task.

    >>> from jaxgen.tasks import DETECT, SYNTHESISE
    >>> titled(DETECT, "auroc[elbo]"), titled(SYNTHESISE, "kernel_distance")
    ('AUROC (elbo)', 'kernel distance')
    """
    base, _, reading = metric.partition("[")
    title = task.titles.get(base) or base.replace("_", " ")
    return f"{title} ({reading[:-1].replace('_', ' ')})" if reading else title


def describe(metrics: Mapping[str, Metric], name: str) -> Metric:
    """The metric of a figure. `auroc[critic]` is `auroc` computed from the score "critic", which is no headline.

    >>> describe({"auroc": Metric(True, True, "area under the ROC curve", "")}, "auroc[critic]")[:3]
    (True, False, 'area under the ROC curve, read from critic')
    """
    base, bracket, inner = name.partition("[")
    metric = metrics[base]
    return metric._replace(headline=False, about=f"{metric.about}, read from {inner[:-1]}") if bracket else metric
