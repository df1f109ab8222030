"""What people want a model for. A task is a row of `TASKS`, and one file holds everything about it.

What stands beside the models (`floor`, `baselines`) is measured by the same code as they are.
"""

from typing import NamedTuple

from jaxgen.tasks.detect import DETECT
from jaxgen.tasks.represent import REPRESENT
from jaxgen.tasks.synthesise import SYNTHESISE
from jaxgen.tasks.task import BASELINE, MAIN, Metric, Picture, Reading, Reference, Task, Training, describe, titled
from jaxgen.tasks.translate import TRANSLATE

__all__ = [
    "BASELINE",
    "DETECT",
    "MAIN",
    "REPRESENT",
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

TASKS: tuple[Task, ...] = (SYNTHESISE, TRANSLATE, DETECT, REPRESENT)


class Setting(NamedTuple):
    """What a comparison is asked about; the task whose `setting` is its name decides it."""

    name: str
    needs_images: bool = False


SETTINGS = (
    Setting("image synthesis"),
    Setting("style transfer", needs_images=True),
    Setting("super-resolution", needs_images=True),
    Setting("anomaly detection"),
    Setting("representation learning"),
    Setting("semantic manipulation"),
)
