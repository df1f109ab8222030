"""The task "super-resolution": restoring a large image from a small one, realistically and close to the true image."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import jax
import numpy as np

from jaxgen.core import Model, as_float
from jaxgen.data import Data
from jaxgen.metrics.features import Features, flat, principal_axes
from jaxgen.metrics.frechet import frechet
from jaxgen.metrics.restoration import (
    WINDOW,
    Pairs,
    bicubic,
    joint_frechet,
    nearest,
    psnr,
    ridge,
    root_mean_square,
    ssim,
)
from jaxgen.recipes import Recipe, find
from jaxgen.runs.conditions import shrunk
from jaxgen.tasks.evaluation import STAGED, in_batches, looked_at, positions
from jaxgen.tasks.task import BASELINE, SIZE, Form, Margin, Metric, Picture, Reading, Reference, Task, Training

FACTORS = (4, 3, 2)  # reduction of the sides: the first that divides both and leaves enough pixels is used
SMALLEST = 4  # the fewest pixels of a side of the small image
SAMPLES = 8  # results for each small image, from which a mean and a spread are computed
MANY = 8  # one MANY-th of the evaluated numbers is used for figures that need all SAMPLES results
COMPONENTS = 32  # principal components of the small images, in the pairs that are compared
ROWS = 500  # the most small images from which these components are computed
SHOWN = 8  # test examples on the page

METRICS = {
    "joint_frechet": Metric(
        False,
        True,
        "Frechet distance between pairs (small test image, result for it) and pairs (small test image, true image)",
        "squared",
        SIZE,
        Margin(0.1, relative=True),
    ),
    "frechet": Metric(
        False, False, "realism: Frechet distance of the results alone, without their small images", "squared", SIZE
    ),
    "psnr": Metric(
        True,
        False,
        "similarity of one result to the true image; perfect realism costs at most 3.01 dB of the best possible "
        "figure, so a figure further below the best one is worse than realism requires",
        "dB",
    ),
    "psnr_mean": Metric(True, False, f"similarity of the mean of {SAMPLES} results to the true image", "dB"),
    "ssim": Metric(
        True,
        False,
        f"structural similarity of one result to the true image, in windows of {WINDOW} x {WINDOW} pixels",
        "",
        (-1.0, 1.0),
    ),
    "consistency": Metric(
        False, False, "root mean squared difference between a result, shrunk again, and the small image", "", SIZE
    ),
    "spread": Metric(
        None, False, f"root mean square of the standard deviation of a pixel over {SAMPLES} results", "", SIZE
    ),
}


def factor(shape: tuple[int, ...]) -> int:
    """The factor by which sides shrink: 4, 3 or 2, the first that divides both and leaves 4 pixels a side; 0 if none.

    >>> [factor((side, side, 1)) for side in (8, 16, 28, 64, 10, 11)]
    [2, 4, 4, 4, 2, 0]
    """
    fits = (f for f in FACTORS if all(side % f == 0 and side // f >= SMALLEST for side in shape[:2]))
    return next(fits, 0)


def servable(data: Data) -> str | None:
    """None, or why this data cannot be shrunk and restored."""
    if data.kind != "image":
        return f"{data.name} has no images."
    if not factor(data.shape):
        h, w = data.shape[:2]
        return f"images of {h}x{w} do not shrink evenly to {SMALLEST} pixels a side or more: crop them to a multiple."
    if len(data.test.x) < 2:
        return f"{data.name} has {len(data.test.x)} test examples, and a distance of two sets needs two."
    return None


def pairs(x: np.ndarray) -> Pairs:
    """Images [N, H, W, C] in [0, 1] together with their small versions."""
    return Pairs(x, np.asarray(shrunk(x, factor(x.shape[1:]))))


def measure(features: Features, test: Pairs, results: np.ndarray) -> dict[str, float]:
    """The figures of one result for each small image; of large images `ssim` uses a fixed random part."""
    real, fake = features.embed(test.large), features.embed(results)
    some = positions(len(results), results.shape[1:], STAGED)
    return {
        "joint_frechet": joint_frechet(real, fake, _given(test)),
        "frechet": frechet(real, fake),
        "psnr": psnr(test.large, results),
        "ssim": ssim(test.large[some], results[some]),
        "consistency": root_mean_square(pairs(results).small - test.small),
    }


def headline(features: Features, test: Pairs, results: np.ndarray) -> float:
    """`joint_frechet`, with the first 32 principal components of the small images as the other half of a pair.

    Neither axis of the plane of Blau and Michaeli 2018 (arXiv 1711.06077) is a good headline. Perception, the distance
    of the results alone, is 0 for the true images in another order; distortion is smallest for a blurred mean. The
    distance of pairs penalises unrealistic results, results of another small image, and results that vary too little.
    """
    return joint_frechet(features.embed(test.large), features.embed(results), _given(test))


def _given(test: Pairs) -> np.ndarray:
    axes = principal_axes(test.small[:: -(-len(test.small) // ROWS)], COMPONENTS)
    return (flat(test.small) - axes.mean) @ axes.axes.T


def restored(model: Model, small: np.ndarray, key: jax.Array) -> np.ndarray:
    """One result for each small image."""
    draw, sample = model.draw, model.sample
    assert draw is not None and sample is not None

    def of(i, given):
        return sample(draw(jax.random.fold_in(key, i), len(given), given), given)

    return in_batches(of, small, copies=max(FACTORS) ** 2)


def read(model: Model, features: Features, test: Pairs, key: jax.Array, *, headline_only: bool = False) -> Reading:
    """The figures of a model; there are none if a result is not finite.

    With K results x_k for a small image, `psnr_mean` is that of m = mean_k x_k, and spread^2 is the mean over images
    and pixels of sum_k (x_k - m)^2 / (K - 1). If results are draws from the true distribution given the small image,
    the squared error of one is twice spread^2 and that of the mean of many is spread^2, a difference of 3.01 dB. If
    images are large, these two figures use a fixed random part, because no other figure needs more than one result.
    """
    first = restored(model, test.small, jax.random.fold_in(key, 0))
    if not np.all(np.isfinite(first)):
        return Reading({}, "")
    if headline_only:
        return Reading({"joint_frechet": headline(features, test, first)}, "")
    at = positions(len(first), first.shape[1:], MANY)
    mean, squares, small = first[at], np.zeros_like(first[at]), test.small[at]
    for k in range(1, SAMPLES):  # one at a time, because eight results of all large images may not fit into memory
        result = restored(model, small, jax.random.fold_in(key, k))
        change = result - mean
        mean += change / (k + 1)
        squares += change * (result - mean)
    figures = measure(features, test, first) | {"psnr_mean": psnr(test.large[at], mean)}
    figures["spread"] = float(np.sqrt(np.mean(squares, dtype=np.float64) / (SAMPLES - 1)))
    return Reading({name: value for name, value in figures.items() if np.isfinite(value)}, "")


def baselines(reference: Reference, seed: int) -> dict[str, dict[str, float]]:
    """Figures of methods without a network. Each gives one result for a small image, so its spread is 0."""
    data = reference.data
    train, (test, features) = pairs(looked_at(data.train).x), reference.once(_at_end)
    valid = pairs(looked_at(data.valid).x) if len(data.valid.x) else train
    with _one_thread():
        results = {
            "bicubic": bicubic(test.small, test.large.shape[1:]),
            "ridge regression": ridge(train, valid, test.small),
            "nearest training example": nearest(train, test.small),
        }
        by_name = {f"{BASELINE}{name}": measure(features, test, images) for name, images in results.items()}
    return {name: {**figures, "psnr_mean": figures["psnr"], "spread": 0.0} for name, figures in by_name.items()}


def _one_thread() -> AbstractContextManager:
    """Limits BLAS to one thread, because products and decompositions of this size are slower on several."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


def _read(model: Model, reference: Reference, seed: int, key: jax.Array, stage: str | None) -> Reading:
    test, features = reference.once(_at_stage if stage else _at_end)
    with _one_thread():
        return read(model, features, test, key, headline_only=stage is not None)


def _at_end(reference: Reference) -> tuple[Pairs, Features]:
    return _known(reference, 1)


def _at_stage(reference: Reference) -> tuple[Pairs, Features]:
    return _known(reference, STAGED)


def _known(reference: Reference, part: int) -> tuple[Pairs, Features]:
    """The pairs of test images, and the feature space, which caches the features of the true images."""
    test, embed = pairs(looked_at(reference.data.test, part).x), reference.features.embed
    real = embed(test.large)
    return test, reference.features._replace(embed=lambda x: real if x is test.large else embed(x))


def _shown(data: Data) -> Pairs:
    return pairs(as_float(data.test.x[:SHOWN]))


def _enlarged(data: Data) -> np.ndarray:
    """The small images enlarged by repeating pixels, and below them the true images."""
    large, small = _shown(data)
    by = large.shape[1] // small.shape[1]
    return np.concatenate([small.repeat(by, 1).repeat(by, 2), large])


def _results(model: Model, data: Data, key: jax.Array) -> np.ndarray:
    small = _shown(data).small
    return np.concatenate([restored(model, small, jax.random.fold_in(key, k)) for k in range(2)])


def _configure(side: str, recipe: Recipe, data: Data) -> tuple[Recipe, str]:
    """The recipe `sr_gan` in place of any GAN, and the model's own recipe otherwise, with the small image as condition.

    So the losses of both sides compare results with the true image. A conditional VAE (Sohn et al. 2015) does this by
    its likelihood, and a GAN for super-resolution by an L1 or L2 term added to its adversarial loss (Ledig et al. 2017,
    arXiv 1609.04802). Without such a term the critic would have to discover that each small image has its own large
    one: on the digits r3gan, given the small images, reaches 14.6 dB after 2,500 steps and sr_gan 17.8 after 2,000.
    """
    small = f"small:{data.shape[0] // factor(data.shape)}"
    return (find("sr_gan") if side == "gan" else recipe), small


def _notes(data: Data, seeds: Sequence[int]) -> tuple[str, ...]:
    (h, w), by = data.shape[:2], factor(data.shape)
    return (
        f"Super-resolution: each model is trained again in {FROM_SMALL.in_words}, on small images of "
        f"{h // by}x{w // by} pixels, each of which is the mean of {by}x{by} of the {h}x{w} pixels. Every GAN is "
        "replaced by sr_gan, whose L1 term compares results with the true image, as the likelihood of a VAE does. Its "
        "learning rate was chosen on the embedded digits.",
    )


FROM_SMALL = Training("restore", "from small images", 0.4, (4, 5), form=Form("restore", lambda data: data, _configure))

RESTORE = Task(
    name="restore",
    title="Super-resolution",
    setting="super-resolution",
    about="Each model is trained again to restore images from small ones: as a conditional VAE, or as sr_gan for a "
    "GAN. The answer is decided by pairs of small image and result: a result must look real and fit its small image. "
    "Realism costs at most 3.01 dB of the best possible PSNR (Blau and Michaeli 2018), which only a blurred mean "
    "reaches.",
    training=FROM_SMALL,
    servable=servable,
    metrics=lambda data: METRICS,
    measure=_read,
    baselines=baselines,
    notes=_notes,
    pictures=(
        Picture(
            "Super-resolution",
            "The first test examples. Real data: the small image, and below it the true one. Models: two results for "
            "each small image.",
            _results,
            _enlarged,
            columns=SHOWN,
        ),
    ),
    titles={
        "joint_frechet": "Frechet distance of pairs",
        "frechet": "Frechet distance",
        "psnr": "PSNR",
        "psnr_mean": "PSNR of the mean",
        "ssim": "SSIM",
    },
)
