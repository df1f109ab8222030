"""Synthesise: are samples like new data, and as varied?"""

import jax
import numpy as np

from jaxgen.core import Model, as_float
from jaxgen.data import Data, subset
from jaxgen.metrics.features import Features, flat
from jaxgen.metrics.modes import count_modes
from jaxgen.metrics.quality import frechet, kernel_distance, nearest_distance, prdc
from jaxgen.tasks.evaluation import LIMIT, looked_at
from jaxgen.tasks.task import MAIN, SHARE, SIZE, Margin, Metric, Picture, Reading, Reference, Task

NEIGHBOURS = 5
EXAMPLES = 10_000  # real ones that a ceiling looks at, about
POINTS = 2500  # samples where the modes are known, as published
CHECKED = 1000  # samples whose nearest training example is looked for, at most
OF_MODES = ("modes", "high_quality_percent", "reverse_kl")  # measured where the modes are known
HEADLINE_OF_MODES = "coverage"  # one mode alone has the best quality, and noise touches nearly all modes

METRICS = {
    "frechet": Metric(
        False,
        True,
        "Frechet distance of the features of samples to those of test data",
        "squared",
        SIZE,
        Margin(0.1, relative=True),
    ),
    "kernel_distance": Metric(False, False, "kernel distance of the features of samples to those of test data", ""),
    "precision": Metric(True, False, "share of samples that lie among the test data", "", SHARE),
    "recall": Metric(True, False, "share of test data that lie among the samples", "", SHARE),
    "density": Metric(None, False, "how densely samples lie among the test data; 1 for real data", "", SIZE),
    "coverage": Metric(True, False, "share of test data with a sample in their neighbourhood", "", SHARE, Margin(0.05)),
    "memorisation": Metric(
        None, False, "median distance to the nearest training example over that of test data; near 0: copies", "", SIZE
    ),
    "modes": Metric(True, False, "known modes with at least one high-quality sample", "modes", SIZE),
    "high_quality_percent": Metric(
        True, False, "samples within 3 standard deviations of a known mode", "%", (0.0, 100.0)
    ),
    "reverse_kl": Metric(False, False, "unevenness of high-quality samples over the modes", "nats", SIZE),
}


def servable(data: Data) -> str | None:
    """None, or why samples cannot be measured against this data."""
    n = min(len(data.train.x), len(data.test.x))
    if n <= NEIGHBOURS:
        return f"{data.name} has {n} examples in a split, and {NEIGHBOURS} nearest neighbours need {NEIGHBOURS + 1}."
    return None


def sample_count(data: Data) -> int:
    """How many samples `measure` wants: as many as test examples (5,000 at most), 2,500 where the modes are known."""
    return POINTS if data.modes is not None else min(len(data.test.x), LIMIT)


def metrics(data: Data) -> dict[str, Metric]:
    """What is measured on this data, with the headline that goes with it.

    The Frechet distance, because it alone rises both where samples look wrong and where variety is missing (precision
    and density reward samples that are all alike; recall and coverage say little of how clean they are). Where the
    modes are known it is blind (uniform noise over the ring has nearly its moments), and the headline is coverage:
    one mode alone has the best quality, and noise touches nearly all modes.
    """
    if data.modes is None:
        return {name: metric for name, metric in METRICS.items() if name not in OF_MODES}
    n = len(data.modes.means)
    bounds = {"modes": (0.0, float(n)), "reverse_kl": (0.0, float(np.log(n)))}
    return {
        name: metric._replace(headline=name == HEADLINE_OF_MODES, bounds=bounds.get(name, metric.bounds))
        for name, metric in METRICS.items()
    }


def measure(features: Features, data: Data, samples, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The figures of samples [n, ...] against the test split; {} where samples are not all finite.

    Memorisation is the median distance of samples to the nearest training example, in the data's own units, over that
    of test examples.
    """
    samples = np.asarray(samples)
    if not np.all(np.isfinite(samples)):
        return {}
    figures = _compare(features, data, samples, k)
    train, unseen = flat(data.train.x), flat(looked_at(data.test).x[:CHECKED])
    usual = np.median(nearest_distance(unseen, train))
    if usual > 0:
        figures["memorisation"] = float(np.median(nearest_distance(flat(samples[:CHECKED]), train)) / usual)
    return figures


def headline(features: Features, data: Data, samples, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The headline of `measure` and nothing else, which takes a fraction of the time: for the stages of a training."""
    samples = np.asarray(samples)
    if not np.all(np.isfinite(samples)):
        return {}
    real, fake = features.embed(looked_at(data.test).x), features.embed(samples)
    if data.modes is None:
        return {"frechet": frechet(real, fake)}
    return {HEADLINE_OF_MODES: prdc(real, fake, k=k).coverage}


def ceiling(features: Features, data: Data, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """The same figures of real examples: random parts of the training split, each as large as the set of samples.

    Their mean over 20 parts, or over fewer (2 at least) where parts are large: on one small part the Frechet distance
    may be half of that mean. Memorisation is 1 by definition: a new real example.
    """
    n, rng = min(sample_count(data), len(data.train.x)), np.random.default_rng(0)
    count = int(np.clip(EXAMPLES // n, 2, 20))
    parts = [
        _compare(features, data, looked_at(subset(data.train, rng.choice(len(data.train.x), n, replace=False))).x, k)
        for _ in range(count)
    ]
    return {**{name: float(np.mean([figures[name] for figures in parts])) for name in parts[0]}, "memorisation": 1.0}


def _compare(features: Features, data: Data, samples, k: int) -> dict[str, float]:
    real, fake = features.embed(looked_at(data.test).x), features.embed(samples)
    figures = {"frechet": frechet(real, fake), "kernel_distance": kernel_distance(real, fake)}
    figures |= prdc(real, fake, k=k)._asdict()
    if data.modes is not None:
        count = count_modes(samples, data.modes)
        figures |= {
            "modes": float(count.captured),
            "high_quality_percent": count.high_quality_percent,
            "reverse_kl": count.reverse_kl,
        }
    return figures


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    assert model.draw is not None and model.sample is not None
    samples = np.asarray(model.sample(model.draw(key, sample_count(reference.data))))
    return Reading((headline if stage else measure)(reference.features, reference.data, samples), "")


def _floor(reference: Reference) -> dict[str, float]:
    return ceiling(reference.features, reference.data)


def _samples(model: Model, data: Data, key: jax.Array) -> np.ndarray:
    assert model.draw is not None and model.sample is not None
    return np.asarray(model.sample(model.draw(key, 1000 if data.kind == "points" else 64)))


def _shown(data: Data) -> np.ndarray:
    return as_float(data.test.x[: {"image": 64, "table": 40, "points": 1000}[data.kind]])


SYNTHESISE = Task(
    name="synthesise",
    title="Synthesise",
    setting="image synthesis",
    about="Samples of each model against test data, in the feature space named below.",
    training=MAIN,
    servable=servable,
    metrics=metrics,
    measure=_read,
    floor=_floor,
    pictures=(Picture("Samples", "Of the first seed, not selected.", _samples, _shown),),
    titles={"frechet": "Frechet distance", "reverse_kl": "reverse KL divergence"},
)
