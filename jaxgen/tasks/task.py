"""What a task is: a row that says what is trained for it, what is measured of that, and how it is shown."""

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

BASELINE = "baseline: "  # how the name of a baseline begins, wherever it stands beside those of models
REFERENCES = 20_000  # training examples that copies are looked for among, at most
CHECKED = 1000  # examples or samples whose nearest training examples are looked for, at most
COMPONENTS = 16  # principal components that stand beside what models learn
SHARE = (0.0, 1.0)  # the bounds of most metrics
SIZE = (0.0, float("inf"))  # of those that are no share, and never negative


class Margin(NamedTuple):
    """The difference of two figures below which it does not matter which one is had."""

    size: float
    relative: bool = False  # a share of the larger of the two means, not a size in the figure's units

    def of(self, a: Mapping[int, float], b: Mapping[int, float]) -> float:
        """The margin in the figure's units, between figures by seed.

        >>> Margin(0.02).of({0: 0.5}, {0: 0.6}), Margin(0.1, relative=True).of({0: 2.0}, {0: 3.0, 1: 5.0})
        (0.02, 0.4)
        """
        if not self.relative:
            return self.size
        return self.size * max(abs(sum(values.values()) / len(values)) for values in (a, b))


class Metric(NamedTuple):
    """What a figure says and which way is up."""

    higher_is_better: bool | None  # None: neither
    headline: bool  # the figure that the task's verdict rests on
    about: str
    unit: str  # "" for a pure number
    bounds: tuple[float, float] | None = None  # beyond which it cannot lie
    margin: Margin | None = None  # of a headline: two figures that differ by less are equal
    veto: str = ""  # why a model is not chosen whose figure is surely more than twice that of real data
    usual: float = 0.0  # what real data have of it by construction, where they are few and have less


class Reading(NamedTuple):
    """The figures of one model on one seed, and which of its readings was chosen, on validation data."""

    figures: dict[str, float]
    chosen: str  # name of the score or layer; "" where none could be read


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """What models are measured against: the data, and what is computed of them once, when it is first asked for."""

    data: Data
    features: Features  # the space in which samples are compared
    halves: np.ndarray | None = None  # bool [2, N]: how test examples are divided (`halves_of`); None: at random
    natural_known: Callable[[], np.ndarray] | None = (
        None  # features of the test examples in the second space, if known already
    )
    _formed: dict[str, Data] = dataclasses.field(default_factory=dict)  # by name of a form
    _once: dict[Callable, Any] = dataclasses.field(default_factory=dict)  # by what makes it

    def formed(self, form: "Form | None") -> Data:
        """The data that a training of this form sees, made once: all models, and the baselines, share one copy."""
        if form is None:
            return self.data
        if form.name not in self._formed:
            self._formed[form.name] = form.data(self.data)
        return self._formed[form.name]

    def once(self, make: Callable[["Reference"], Any]) -> Any:
        """`make(reference)`, computed the first time: what depends on the data alone is the same for all models."""
        if make not in self._once:
            self._once[make] = make(self)
        return self._once[make]

    def release(self) -> None:
        """Lets go of what `formed` and `once` have made, which may take as much memory as the training examples."""
        self._formed.clear()
        self._once.clear()

    @cached_property
    def test(self) -> np.ndarray:
        """Features of the test examples that evaluation looks at, float64 [N, F]."""
        return self.features.embed(looked_at(self.data.test).x)

    @cached_property
    def natural_test(self) -> np.ndarray:
        """Features in the second space of test examples: a random 1,024 of those that evaluation looks at, or all."""
        natural = self.features.natural
        assert natural is not None
        if self.natural_known is not None:
            return self.natural_known()
        test = looked_at(self.data.test)
        return natural(test.x[some_of(len(test.x), IMAGES)])

    @cached_property
    def train(self) -> np.ndarray:
        """Features of the training examples that copies are looked for among: all, or a random 20,000 of them."""
        x = self.data.train.x
        if len(x) > REFERENCES:
            x = x[np.sort(np.random.default_rng(0).choice(len(x), REFERENCES, replace=False))]
        return self.features.embed(x)

    @cached_property
    def usual_ratio(self) -> np.ndarray:
        """`nearest_ratio` of test examples, a thousand at most, to training examples."""
        return nearest_ratio(self.test[:CHECKED], self.train)

    @cached_property
    def axes(self) -> Axes:
        """The first 16 principal axes of the training examples."""
        return principal_axes(self.data.train.x, COMPONENTS)

    @cached_property
    def gaussian(self) -> Callable[[int, int], np.ndarray]:
        """(seed, n) -> n samples of the Gaussian of the training examples; images are cut to [0, 1]."""
        return fitted_gaussian(self.data.train.x, image=self.data.kind == "image")


class Form(NamedTuple):
    """What a training is if its networks see other examples than the main one, a condition, or another game.

    Trainings of one form share their programs; those without a form share the programs of the main training.
    """

    name: str
    data: Callable[[Data], Data]  # the data of a seed -> as many that are trained on; only their train split is
    configure: Callable[[str, Recipe, Data], tuple[Recipe, str | None]]
    """(side, recipe, data) -> the recipe that a model of that side trains, and its condition as `--condition` names
    it. A recipe that cannot take it is left out, with a note."""
    size: Callable[[Data], int] = lambda data: len(data.train.x)  # the training examples that `data` leaves


class Training(NamedTuple):
    """What a seed trains once. Tasks that name the same row share it."""

    name: str  # in report.json
    words: str  # how it differs from the main training, as in "trained ... without the anomalies"; "" for that one
    share: float  # of the time of the main training
    streams: tuple[int, int]  # of random numbers: the training's and that of its encoder; no others have these
    keep: Callable[[Data, int], np.ndarray] | None = None  # (data, seed) -> positions in train; None: all of them
    form: Form | None = None  # None: that of the main training

    @property
    def title(self) -> str:
        """What a sentence calls it."""
        return f"training {self.words}" if self.words else "main training"

    @property
    def in_words(self) -> str:
        """Its share of the time.

        >>> Training("a", "apart", 0.4, (8, 9)).in_words
        '0.4 of the time of the main training'
        """
        return f"{self.share:g} of the time of the main training"

    def examples(self, data: Data, seed: int) -> int:
        """How many training examples it sees."""
        if self.keep is not None:
            return len(self.keep(data, seed))
        return len(data.train.x) if self.form is None else self.form.size(data)


MAIN = Training("main", "", 1.0, (0, 2))


class Picture(NamedTuple):
    """Examples that the page shows of each model, beside real ones."""

    title: str
    about: str
    render: Callable[[Model, Data, jax.Array], np.ndarray | None]  # (model, data, key); None where a model has none
    real: Callable[[Data], np.ndarray]
    columns: int | None = None  # of images, where a row means something


def no_baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    """Of a task that has none."""
    return {}


def no_floor(reference: Reference) -> dict[str, float]:
    """Of a task whose figures real data do not have."""
    return {}


def no_notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    """Of a task of which there is nothing to say."""
    return ()


def split_is_drawn(data: Data) -> bool:
    """Whether each seed draws the test split that all models of that seed are measured on."""
    return "test" not in data.official


class Task(NamedTuple):
    """Everything that a comparison knows of a task.

    A figure that a model cannot have is absent, never a stand-in; a reading without figures is a failure.
    """

    name: str  # in report.json
    title: str  # on the page
    setting: str  # the row of `jaxgen.tasks.SETTINGS` that it decides
    about: str  # a sentence or two under the title
    training: Training
    servable: Callable[[Data], str | None]  # None, or in one line why these data cannot serve it
    metrics: Callable[[Data], Mapping[str, Metric]]  # one of them is the headline
    measure: Callable[[Model, Reference, int, jax.Array, str | None], Reading]
    """(model, reference, seed, key, stage): at a stage ("25" of 100 % of the training) only the headline is read."""
    baselines: Callable[[Reference, int], Mapping[str, Mapping[str, float]]] = no_baselines
    """(reference, seed) -> figures of what trains no model, by a name that begins with `BASELINE`."""
    floor: Callable[[Reference], Mapping[str, float]] = no_floor  # figures of real data, where they have any
    notes: Callable[[Data, Sequence[int]], Sequence[str]] = no_notes  # (data, seeds) -> what a reader must know
    pictures: tuple[Picture, ...] = ()  # of its training; also where the data cannot serve the task itself
    titles: Mapping[str, str] = {}  # of metrics that are called otherwise than by their name with blanks
    group: Callable[[Data, int], str] | None = None  # (data, seed) -> what the seed is measured on, if seeds differ
    words: Callable[[Reference], Callable[[float], str]] | None = None
    """reference -> (a mean of the headline -> what it compares to, as the end of a sentence, or "")."""
    encodes: bool = False  # whether figures change with an encoder that is trained afterwards
    paired: Callable[[Data], bool] = split_is_drawn  # whether figures of a seed rest on something drawn for that seed
    tested: Callable[[Data], int] = lambda data: min(len(data.test.x), most(data.shape))
    """data -> how many test examples the headline is a figure of."""
    grouped: Callable[[Data], bool] = lambda data: True
    """Whether the headline is a figure of the test examples that evaluation looks at, all of them and no others. Then
    it can be measured again without each group of these (`jaxgen.tasks.groups`)."""


def headline(metrics: Mapping[str, Metric]) -> str:
    """The name of the metric that a verdict rests on."""
    return next(name for name, metric in metrics.items() if metric.headline)


def titled(task: Task, metric: str) -> str:
    """What a metric of a task is called.

    >>> from jaxgen.tasks import DETECT, SYNTHESISE
    >>> titled(DETECT, "auroc[elbo]"), titled(SYNTHESISE, "kernel_distance")
    ('AUROC (elbo)', 'kernel distance')
    """
    base, _, reading = metric.partition("[")
    title = task.titles.get(base) or base.replace("_", " ")
    return f"{title} ({reading[:-1].replace('_', ' ')})" if reading else title


def describe(metrics: Mapping[str, Metric], name: str) -> Metric:
    """The metric of a figure; `auroc[critic]` is `auroc` under one reading, and no headline.

    >>> describe({"auroc": Metric(True, True, "area under the ROC curve", "")}, "auroc[critic]")[:3]
    (True, False, 'area under the ROC curve, read from critic')
    """
    base, bracket, inner = name.partition("[")
    metric = metrics[base]
    return metric._replace(headline=False, about=f"{metric.about}, read from {inner[:-1]}") if bracket else metric
