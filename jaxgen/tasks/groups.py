"""The test examples without one group of them at a time: what figures owe to which test examples there are.

Where each seed draws its own test split, the seeds show it. Where the source names the test split, all seeds share it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgen.data import Data, subset
from jaxgen.tasks.evaluation import most, positions
from jaxgen.tasks.task import Reference, split_is_drawn

GROUPS = 10
PART = 8  # the smallest part of the test examples that any task looks at, at a stage of a training


class Groups(NamedTuple):
    """References that lack one group of the test examples each."""

    whole: Data
    without: tuple[Reference, ...]
    share: float  # of the test examples that figures are of, how many these hold with all groups

    def of_all(self, values: Sequence[float]) -> list[float]:
        """Figures without each group, as far apart as they would be if groups were of all test examples.

        The variance of a figure goes with 1 / n, so their distances from their mean go with the root of the share.

        >>> Groups(None, (), 0.25).of_all([1.0, 2.0, 3.0])
        [1.5, 2.0, 2.5]
        """
        mean = math.fsum(values) / len(values)
        return [mean + math.sqrt(self.share) * (value - mean) for value in values]


def groups_of(reference: Reference) -> Groups | None:
    """Tenths of the test examples, drawn by a fixed seed and by class: each holds a tenth of each class.

    Of large images, of which tasks look at a part at a stage of a training, the groups are of that part. None if each
    seed draws its own test split, and of fewer than 20 test examples.
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
    parts = (data._replace(test=subset(test, group != i)) for i in range(GROUPS))
    share = n / min(len(data.test.x), most(data.shape))
    return Groups(data, tuple(Reference(part, reference.features) for part in parts), share)
