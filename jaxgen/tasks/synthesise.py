"""Synthesise: are samples like new data, as varied, and not copies of the training data?"""

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
EXAMPLES = 10_000  # real ones that a ceiling looks at, about
POINTS = 2500  # samples where the modes are known, as published
BALLS = ("precision", "recall", "density", "coverage")  # they reach to the fifth neighbour
# Examples on either side that a figure needs; one that is not named needs one.
FEWEST = {
    "frechet": LEAST,
    NATURAL: LEAST,
    "kernel_distance": 2,
    "two_sample": 2,
    **dict.fromkeys(BALLS, NEIGHBOURS + 1),
}
OF_MODES = ("modes", "high_quality_percent", "reverse_kl")  # measured where the modes are known
HEADLINE_OF_MODES = "coverage"  # one mode alone has the best quality, and noise touches nearly all modes

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
        "Frechet distance, likewise, of features of EfficientNet-Lite0; not FID, which is of another network",
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
        "how often the nearest neighbour tells a sample from test data; .5: not to be told apart",
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

# Eigenproblems and products of this size are slower on several threads, and many times so on a busy machine.
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
    """How many samples `measure` wants: as many as test examples that it looks at, 2,500 where the modes are known."""
    return POINTS if data.modes is not None else min(len(data.test.x), most(data.shape))


def metrics(data: Data) -> dict[str, Metric]:
    """What is measured on this data, with the headline that goes with it.

    The Frechet distance, because it alone rises with each step by which real images are made worse, where samples look
    wrong and where variety is missing (precision and density reward samples that are all alike; recall and coverage say
    little of how clean they are; the kernel distance falls where a second class is missing as well). In which space is
    `jaxgen.tasks.distances.headline_of`. Where the modes are known it is blind (uniform noise over the ring has nearly
    its moments), and the headline is coverage: one mode alone has the best quality, and noise touches nearly all modes.
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
    """The figures of samples [n, ...] against the test split; {} where samples are not all finite.

    Those that need more examples than there are (`FEWEST`) are left out.
    `near_copies` looks at a thousand samples and at 20,000 training examples, at most, in the feature space.
    """
    samples = np.asarray(samples)
    if not np.all(np.isfinite(samples)):
        return {}
    return {**_in_first_space(reference, samples, k), **natural_distance(reference, samples)}


@one_thread
def headline(reference: Reference, samples, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The headline of `measure` and nothing else, which takes a fraction of the time: for the stages of a training."""
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
    """Real examples that no feature space was fitted on and nothing is measured against, float32 [N, ...].

    The validation split, then that part of the training split which feature spaces leave out (`held_out`).
    """
    valid, train = data.valid.x[: most(data.shape)], data.train.x[held_out(len(data.train.x))]
    return np.concatenate([as_float(valid), as_float(train)])


@one_thread
def ceiling(reference: Reference, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The same figures of real examples: random parts of `unseen`, each as large as the set of samples if they suffice.

    Their mean over 20 parts, or over fewer (2 at least) where parts are large: on one small part a figure may be half
    of that mean. `near_copies` is that of validation examples: the others are training examples themselves.
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
    """Figures of samples that take no model, by the code that measures those of models.

    The Gaussian with the mean and covariance of the training examples is what every model should beat. Training
    examples with a little noise show what a model would reach that copies. They have no headline, by which they would
    be judged: near the best figures there are, for nothing that anybody wants; `near_copies` exposes them.
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
    """All figures but the one of EfficientNet-Lite0."""
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
    from jaxgen.tasks.yardstick import in_words, yardstick  # it measures by what stands above

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
