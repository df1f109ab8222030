"""The test examples without one group of them at a time: what figures owe to which test examples there are.

Where each seed draws its own test split, the seeds show it. Where the source names the test split, all seeds share it.
"""

import numpy as np

from jaxgen.data import subset
from jaxgen.tasks import Reference
from jaxgen.tasks.evaluation import positions
from jaxgen.tasks.task import split_is_drawn

GROUPS = 10


def without_groups(reference: Reference) -> tuple[Reference, ...]:
    """The same reference without each tenth of the test examples that evaluation looks at.

    The tenths are drawn by a fixed seed and by class, so that each holds a tenth of each class. There are none if each
    seed draws its own test split, and of fewer than 20 test examples.
    """
    data = reference.data
    test = subset(data.test, positions(len(data.test.x)))
    n = len(test.x)
    if split_is_drawn(data) or n < 2 * GROUPS:
        return ()
    order = np.random.default_rng(0).permutation(n)
    if test.label is not None:
        order = order[np.argsort(test.label[order], kind="stable")]
    group = np.empty(n, np.int64)
    group[order] = np.arange(n) % GROUPS
    parts = (data._replace(test=subset(test, group != i)) for i in range(GROUPS))
    return tuple(Reference(part, reference.features) for part in parts)
