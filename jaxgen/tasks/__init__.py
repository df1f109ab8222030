"""What people want a model for. A task is a row of `TASKS`, and one file holds everything about it.

What stands beside the models (`floor`, `baselines`) is measured by the same code as they are.
"""

from typing import NamedTuple

from jaxgen.tasks.detect import DETECT
from jaxgen.tasks.manipulate import MANIPULATE
from jaxgen.tasks.represent import REPRESENT
from jaxgen.tasks.restore import RESTORE
from jaxgen.tasks.synthesise import SYNTHESISE
from jaxgen.tasks.task import BASELINE, MAIN, Metric, Picture, Reading, Reference, Task, Training, describe, titled
from jaxgen.tasks.translate import TRANSLATE

__all__ = [
    "BASELINE",
    "DETECT",
    "MAIN",
    "MANIPULATE",
    "REPRESENT",
    "RESTORE",
    "SETTINGS",
    "SYNTHESISE",
    "TASKS",
    "TRANSLATE",
    "Metric",
    "Picture",
    "Reading",
    "Reference",
    "Setting",
    "Task",
    "Training",
    "describe",
    "titled",
]

TASKS: tuple[Task, ...] = (SYNTHESISE, TRANSLATE, RESTORE, DETECT, REPRESENT, MANIPULATE)


class Setting(NamedTuple):
    """What a comparison is asked about; the task whose `setting` is its name decides it."""

    name: str
    word: str  # as `--settings` names it
    needs_images: bool = False


SETTINGS = (
    Setting("image synthesis", "synthesis"),
    Setting("style transfer", "style", needs_images=True),
    Setting("super-resolution", "super-resolution", needs_images=True),
    Setting("anomaly detection", "anomalies"),
    Setting("representation learning", "representation"),
    Setting("semantic manipulation", "manipulation", needs_images=True),
)
