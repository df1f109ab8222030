"""What a model's output is worth, as plain functions of arrays: sample quality, modes, latent structure.

Everything here is evaluation on the host in float64, but for the patches of images, in float32. SciPy and scikit-learn
are imported where they are used, so that `import jaxgen` stays cheap.
"""

from jaxgen.metrics.features import Axes, Features, feature_space, held_out, principal_axes
from jaxgen.metrics.latent import active_units, path_ratio
from jaxgen.metrics.modes import ModeCount, count_modes
from jaxgen.metrics.patches import patch_features
from jaxgen.metrics.quality import (
    PRDC,
    frechet,
    kernel_distance,
    near_copies,
    nearest_distance,
    nearest_ratio,
    prdc,
    two_sample,
    unbiased_frechet,
)

__all__ = [
    "PRDC",
    "Axes",
    "Features",
    "ModeCount",
    "active_units",
    "count_modes",
    "feature_space",
    "frechet",
    "held_out",
    "kernel_distance",
    "near_copies",
    "nearest_distance",
    "nearest_ratio",
    "patch_features",
    "path_ratio",
    "prdc",
    "principal_axes",
    "two_sample",
    "unbiased_frechet",
]
