"""The test examples without one group of them at a time: what figures owe to which test examples there are.

Where each seed draws its own test split, the seeds show it. Where the source names the test split, all seeds share it.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgen.data import Data, as_float, subset
from jaxgen.metrics.frechet import halves_of
from jaxgen.tasks.evaluation import positions
from jaxgen.tasks.task import Reference, split_is_drawn

GROUPS = 10
PART = 8  # the smallest part of the test examples that any task looks at, at a stage of a training


class Groups(NamedTuple):
    """References that lack one group of the test examples each."""

    whole: Data
    without: tuple[Reference, ...]
    size: int  # of the test examples that these hold with all groups

    def of_all(self, values: Sequence[float], count: int) -> list[float]:
        """Figures without each group, as far apart as they would be if groups were of the `count` that figures are of.

        The variance of a figure goes with 1 / n, so their distances from their mean go with the root of n / `count`.

        >>> Groups(None, (), 100).of_all([1.0, 2.0, 3.0], 400)
        [1.5, 2.0, 2.5]
        """
        mean = math.fsum(values) / len(values)
        return [mean + math.sqrt(self.size / count) * (value - mean) for value in values]


def groups_of(reference: Reference) -> Groups | None:
    """Tenths of the test examples, drawn by a fixed seed and by class: each holds a tenth of each class.

    Of large images, of which tasks look at a part at a stage of a training, the groups are of that part. None if each
    seed draws its own test split, and of fewer than 20 test examples.

    Where a figure rests on halves of the examples (`unbiased_frechet`), they are the same without each group. With
    halves drawn anew the figures would differ by these too, and the variance that the jackknife finds would be up to
    twice the true one.
    """
    data = reference.data
    test = subset(data.test, positions(len(data.test.x), data.shape, PART))
    n = len(test.x)
    if split_is_drawn(data) or n < 2 * GROUPS:
        return None
    order = np.random.default_rng(0).permutation(n)
    if test.label is not None:
        order = order[np.argsort(test.label[order], kind="stable")]
    group = np.empty(n, np.int64)
    group[order] = np.arange(n) % GROUPS
    halves = halves_of(n, label=test.label)  # a task may compare one class alone

    @functools.cache
    def embedded() -> np.ndarray:
        assert reference.features.natural is not None
        return reference.features.natural(as_float(test.x))

    def without(i: int) -> Reference:
        rest = group != i
        part = data._replace(test=subset(test, rest))
        return Reference(part, reference.features, halves=halves[:, rest], natural_known=lambda: embedded()[rest])

    return Groups(data, tuple(without(i) for i in range(GROUPS)), n)
