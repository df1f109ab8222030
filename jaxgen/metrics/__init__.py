"""What a model's output is worth, as plain functions of arrays: sample quality, modes, outliers, latent structure.

Nearly all of it is evaluation on the host, in float64 (outlier scores and patches of images in float32); what runs a
model many times, `likelihood` and `annealed`, is compiled by JAX in float32. SciPy and
scikit-learn are imported where they are used, so that `import jaxgen` stays cheap.
"""

from jaxgen.metrics.disentanglement import DCI, dci, mutual_information_gap
from jaxgen.metrics.features import Axes, Features, feature_space, held_out, principal_axes
from jaxgen.metrics.frechet import frechet, halves_of, unbiased_frechet
from jaxgen.metrics.latent import active_units, path_ratio
from jaxgen.metrics.modes import ModeCount, StackedCount, count_modes, count_stacked
from jaxgen.metrics.outliers import (
    auroc,
    average_precision,
    distance_from_mean,
    isolation,
    neighbour_distance,
    reconstruction_error,
)
from jaxgen.metrics.patches import patch_features
from jaxgen.metrics.quality import (
    PRDC,
    kernel_distance,
    near_copies,
    nearest_distance,
    nearest_ratio,
    prdc,
    two_sample,
)
from jaxgen.metrics.restoration import joint_frechet, psnr, ssim

__all__ = [
    "DCI",
    "PRDC",
    "Axes",
    "Features",
    "ModeCount",
    "StackedCount",
    "active_units",
    "auroc",
    "average_precision",
    "count_modes",
    "count_stacked",
    "dci",
    "distance_from_mean",
    "feature_space",
    "frechet",
    "halves_of",
    "held_out",
    "isolation",
    "joint_frechet",
    "kernel_distance",
    "mutual_information_gap",
    "near_copies",
    "nearest_distance",
    "nearest_ratio",
    "neighbour_distance",
    "patch_features",
    "path_ratio",
    "prdc",
    "principal_axes",
    "psnr",
    "reconstruction_error",
    "ssim",
    "two_sample",
    "unbiased_frechet",
]
