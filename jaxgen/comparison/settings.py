"""What a comparison is asked to do."""

import dataclasses
import math

from jaxgen.core import BadRequest
from jaxgen.recipes import find

SECONDS = 8.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """A comparison that a command line can ask for.

    Raises:
      BadRequest: an unknown recipe, one named twice, a number that cannot be.
    """

    data: str = "digits"
    models: tuple[str, ...] = ("vae", "r3gan")
    out: str | None = None  # None: a fresh runs/compare-N
    seconds_per_model: float = SECONDS  # of training, for one model and one seed
    seeds: int = 5
    seed: int = 0  # the first of them

    def __post_init__(self):
        """Refuses what cannot be, before anything is loaded."""
        if not self.models:
            raise BadRequest("models: name at least one recipe, for instance vae,r3gan.")
        for name in self.models:
            find(name)
            if self.models.count(name) > 1:
                raise BadRequest(f"models: {name} is named twice; seeds, not names, repeat a training.")
        if not (math.isfinite(self.seconds_per_model) and self.seconds_per_model > 0):
            raise BadRequest(f"seconds_per_model={self.seconds_per_model!r}: it must be a number above 0.")
        for name, least in (("seeds", 1), ("seed", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise BadRequest(f"{name}={getattr(self, name)!r}: it must be a whole number of at least {least}.")
        if self.seed + self.seeds > 2**31:
            raise BadRequest(f"seed={self.seed!r}: it must be below 2147483648, with all {self.seeds} seeds.")
