"""How strong the remedies are, in all experiments that compare them on the same games."""

from typing import NamedTuple


class Setting(NamedTuple):
    """How strong they are on one kind of game."""

    rate: float  # of both players
    gamma: float  # of R1 and R2
    weight: float  # of the penalties that ask for a slope of 1
    std: float  # of DRAGAN's noise
    limit: float  # of clipping
    consensus: float
    foreseen: float  # rate of the steps that an unrolled generator foresees


TOY = Setting(rate=0.2, gamma=0.3, weight=0.7, std=1.0, limit=1.0, consensus=1.0, foreseen=0.2)
LINE = Setting(rate=3e-3, gamma=0.1, weight=10.0, std=0.5, limit=0.1, consensus=0.1, foreseen=0.1)
PLANE = Setting(rate=2e-3, gamma=0.1, weight=10.0, std=0.35, limit=0.1, consensus=0.1, foreseen=0.1)
