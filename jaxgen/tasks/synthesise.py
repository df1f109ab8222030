"""The task "synthesise": do samples resemble new data, are they as varied, and are they no copies of training data?"""

from collections.abc import Callable

import jax
import numpy as np
from threadpoolctl import threadpool_limits

from jaxgen.core import Model, as_float
from jaxgen.data import Data
from jaxgen.metrics.features import held_out
from jaxgen.metrics.modes import count_modes
from jaxgen.metrics.quality import kernel_distance, near_copies, nearest_ratio, prdc, two_sample
from jaxgen.tasks import distances
from jaxgen.tasks.distances import LEAST, NATURAL, distance, natural_ceiling, natural_distance
from jaxgen.tasks.evaluation import STAGED, drawn, most
from jaxgen.tasks.naive import copies
from jaxgen.tasks.task import BASELINE, CHECKED, MAIN, SHARE, SIZE, Margin, Metric, Picture, Reading, Reference, Task
from jaxgen.tasks.task import headline as headline_of

NEIGHBOURS = 5
EXAMPLES = 10_000  # about how many real examples a ceiling uses
POINTS = 2500  # number of samples if the modes are known, as published
BALLS = ("precision", "recall", "density", "coverage")  # they use the distance to the fifth neighbour
# The number of examples and of samples that a figure needs; figures that are not listed need one.
FEWEST = {
    "frechet": LEAST,
    NATURAL: LEAST,
    "kernel_distance": 2,
    "two_sample": 2,
    **dict.fromkeys(BALLS, NEIGHBOURS + 1),
}
OF_MODES = ("modes", "high_quality_percent", "reverse_kl")  # measured if the modes are known
HEADLINE_OF_MODES = "coverage"  # samples of one mode have perfect quality, and noise reaches nearly all modes

METRICS = {
    "frechet": Metric(
        False,
        True,
        "Frechet distance of the features of samples to those of test data, extrapolated to unlimited sets",
        "squared",
        margin=Margin(0.1, relative=True),
    ),
    NATURAL: Metric(
        False,
        True,
        "Frechet distance, likewise extrapolated, of features of EfficientNet-Lite0; FID uses another network",
        "squared",
        margin=Margin(0.1, relative=True),
    ),
    "kernel_distance": Metric(False, False, "kernel distance of the features of samples to those of test data", ""),
    "precision": Metric(True, False, "share of samples that lie among the test data", "", SHARE),
    "recall": Metric(True, False, "share of test data that lie among the samples", "", SHARE),
    "density": Metric(None, False, "how densely samples lie among the test data; 1 for real data", "", SIZE),
    "coverage": Metric(True, False, "share of test data with a sample in their neighbourhood", "", SHARE, Margin(0.05)),
    "two_sample": Metric(
        False,
        False,
        "accuracy of a nearest-neighbour classifier of samples and test data; .5: they cannot be distinguished",
        "",
        SHARE,
    ),
    "near_copies": Metric(
        None,
        False,
        "share of samples nearer to one training example than 95 % of test data are; .05: no copies",
        "",
        SHARE,
        veto="its samples are copies of training examples",
        usual=0.05,
    ),
    "modes": Metric(True, False, "known modes with at least one high-quality sample", "modes", SIZE),
    "high_quality_percent": Metric(
        True, False, "samples within 3 standard deviations of a known mode", "%", (0.0, 100.0)
    ),
    "reverse_kl": Metric(False, False, "unevenness of high-quality samples over the modes", "nats", SIZE),
}

# Eigenproblems and products of this size are slower with several threads, and many times slower on a busy machine.
one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


def servable(data: Data) -> str | None:
    """None, or why samples cannot be measured against this data."""
    n = min(len(data.train.x), len(data.test.x))
    if n <= NEIGHBOURS:
        return f"{data.name} has {n} examples in a split, and {NEIGHBOURS} nearest neighbours need {NEIGHBOURS + 1}."
    return None


def unmeasured(data: Data) -> list[str]:
    """A line for each kind of figure that so few test examples do not have, with the reason.

    >>> from jaxgen.data import load
    >>> unmeasured(load("digits"))
    []
    """
    n, lacking = min(sample_count(data), len(data.test.x)), dict[int, list[str]]()
    for name in metrics(data):
        if n < FEWEST.get(name, 1):
            lacking.setdefault(FEWEST[name], []).append(name)
    return [
        f"not measured: {', '.join(names)}, for {'they need' if len(names) > 1 else 'it needs'} {least} test examples "
        f"and there {'is' if n == 1 else 'are'} {n}."
        for least, names in lacking.items()
    ]


def sample_count(data: Data) -> int:
    """The number of samples that `measure` needs: that of evaluated test examples, or 2,500 if the modes are known."""
    return POINTS if data.modes is not None else min(len(data.test.x), most(data.shape))


def metrics(data: Data) -> dict[str, Metric]:
    """The metrics for this data, one of which is the headline.

    The headline is the Frechet distance. It alone rises with each step by which real images are made worse, both in
    quality and in variety: precision and density reward samples that are all alike, recall and coverage say little
    about their quality, and the kernel distance falls if a second class is missing as well. Its feature space is chosen
    by `jaxgen.tasks.distances.headline_of`. If the modes are known, the headline is coverage, because the Frechet
    distance does not see modes: uniform noise over the ring has nearly the moments of the data. The other metrics of
    modes are unsuitable too: samples of one mode have perfect quality, and noise reaches nearly all modes.
    """
    if data.modes is None:
        chosen = distances.headline_of(data)
        left_out = OF_MODES if chosen == NATURAL else (*OF_MODES, NATURAL)
        rest = {name: metric for name, metric in METRICS.items() if name not in left_out}
        return {name: metric._replace(headline=name == chosen) for name, metric in rest.items()}
    n = len(data.modes.means)
    bounds = {"modes": (0.0, float(n)), "reverse_kl": (0.0, float(np.log(n)))}
    return {
        name: metric._replace(headline=name == HEADLINE_OF_MODES, bounds=bounds.get(name, metric.bounds))
        for name, metric in METRICS.items()
        if name != NATURAL
    }


@one_thread
def measure(reference: Reference, samples, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The figures of samples [n, ...] against the test split; {} if a sample is not finite.

    Figures that need more examples than there are (`FEWEST`) are left out.
    `near_copies` compares at most a thousand samples with at most 20,000 training examples, in the feature space.
    """
    samples = np.asarray(samples)
    if not np.all(np.isfinite(samples)):
        return {}
    return {**_in_first_space(reference, samples, k), **natural_distance(reference, samples)}


@one_thread
def headline(reference: Reference, samples, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """Only the headline figure of `measure`, in a fraction of the time, for the stages of a training."""
    samples = np.asarray(samples)
    if not np.all(np.isfinite(samples)):
        return {}
    if reference.features.natural is not None:
        return natural_distance(reference, samples)
    fake = reference.features.embed(samples)
    if reference.data.modes is None:
        return {"frechet": distance(reference, reference.test, fake)}
    return {HEADLINE_OF_MODES: prdc(reference.test, fake, k=k).coverage}


def unseen(data: Data) -> np.ndarray:
    """Real examples that no feature space was fitted on and that are no test examples, float32 [N, ...].

    They are the validation split, and then the part of the training split that feature spaces leave out (`held_out`).
    """
    valid, train = data.valid.x[: most(data.shape)], data.train.x[held_out(len(data.train.x))]
    return np.concatenate([as_float(valid), as_float(train)])


@one_thread
def ceiling(reference: Reference, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The same figures for real examples: for random parts of `unseen`, each as large as a set of samples if possible.

    They are averaged over 20 parts, or over fewer (at least 2) if parts are large, because the figure of one small part
    may be half of the average. `near_copies` uses validation examples only, because the others are training examples.
    """
    real, rng = unseen(reference.data), np.random.default_rng(0)
    n = min(sample_count(reference.data), len(real))
    embedded, parts = reference.features.embed(real), []
    for _ in range(int(np.clip(EXAMPLES // n, 2, 20)) if n < len(real) else 1):
        at = rng.choice(len(real), n, replace=False)
        parts.append(_compare(reference, real[at], embedded[at], k))
    ratio = nearest_ratio(reference.features.embed(reference.data.valid.x[:CHECKED]), reference.train)
    figures = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    figures |= natural_ceiling(reference, real)
    return {**figures, "near_copies": near_copies(ratio, reference.usual_ratio)}


def baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    """Figures of samples that need no model, measured in the same way as those of models.

    Every model should beat the Gaussian with the mean and covariance of the training examples. Training examples with a
    little noise show the figures of a model that copies. These would be near the best possible, although nobody wants
    copies, so this baseline has no headline figure and cannot win; `near_copies` detects it.
    """
    data, n = reference.data, sample_count(reference.data)
    image = data.kind == "image"
    copied = _in_first_space(reference, copies(data.train.x, seed, n, image=image), NEIGHBOURS)
    copied.pop(headline_of(metrics(data)), None)
    return {
        f"{BASELINE}Gaussian of the {'pixels' if image else 'values'}": measure(reference, reference.gaussian(seed, n)),
        f"{BASELINE}training examples plus noise": copied,
    }


@one_thread
def _in_first_space(reference: Reference, samples, k: int) -> dict[str, float]:
    """All figures except that of EfficientNet-Lite0."""
    fake = reference.features.embed(samples)
    ratio = nearest_ratio(fake[:CHECKED], reference.train)
    return {**_compare(reference, samples, fake, k), "near_copies": near_copies(ratio, reference.usual_ratio)}


def _compare(reference: Reference, samples, fake: np.ndarray, k: int) -> dict[str, float]:
    real, data = reference.test, reference.data
    n, figures = min(len(real), len(fake)), dict[str, float]()
    if n >= FEWEST["frechet"]:
        figures["frechet"] = distance(reference, real, fake)
    if n >= FEWEST["kernel_distance"]:
        figures["kernel_distance"] = kernel_distance(real, fake)
    if n > k:
        figures |= prdc(real, fake, k=k)._asdict()
    if n >= FEWEST["two_sample"]:
        figures["two_sample"] = two_sample(real, fake)
    if data.modes is not None:
        count = count_modes(samples, data.modes)
        figures |= {
            "modes": float(count.captured),
            "high_quality_percent": count.high_quality_percent,
            "reverse_kl": count.reverse_kl,
        }
    return figures


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    n, shape = sample_count(reference.data), reference.data.shape
    if stage is None:
        return Reading(measure(reference, drawn(model, key, n, shape)), "")
    return Reading(headline(reference, drawn(model, key, min(n, most(shape, STAGED)), shape)), "")


def _samples(model: Model, data: Data, key: jax.Array) -> np.ndarray:
    return drawn(model, key, 1000 if data.kind == "points" else 64, data.shape)


def _shown(data: Data) -> np.ndarray:
    return as_float(data.test.x[: {"image": 64, "table": 40, "points": 1000}[data.kind]])


def _words(reference: Reference) -> Callable[[float], str]:
    from jaxgen.tasks.yardstick import in_words, yardstick  # that module imports this one

    marks = yardstick(reference) if reference.data.modes is None else []
    return lambda value: in_words(value, marks)


SYNTHESISE = Task(
    name="synthesise",
    title="Synthesise",
    setting="image synthesis",
    about="Samples of each model against test data, in the feature space named below.",
    training=MAIN,
    servable=servable,
    metrics=metrics,
    measure=_read,
    floor=ceiling,
    baselines=baselines,
    pictures=(Picture("Samples", "Of the first seed, not selected.", _samples, _shown),),
    notes=distances.notes,
    tested=distances.tested,
    words=_words,
    titles={
        "frechet": "Frechet distance",
        NATURAL: "Frechet distance (EffNet-Lite0)",
        "reverse_kl": "reverse KL divergence",
        "two_sample": "two-sample test",
        "near_copies": "near-copies",
    },
)
