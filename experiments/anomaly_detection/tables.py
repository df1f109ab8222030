"""ADBench's tables under the protocol of DTE, and what was published of them."""

from pathlib import Path

import numpy as np

from jaxgen.core import BadRequest
from jaxgen.data import Data, Split
from jaxgen.metrics.outliers import auroc, neighbour_distance, standardised

# AUROC in per cent. Livernoche et al. 2024, arXiv 2305.18593 (DTE), semi-supervised setting, as A-Chicharito-S/FoMo-0D
# keeps it in DTE/paper_result/semi_aucroc.xlsx.
PUBLISHED = {
    "thyroid": {"kNN": 98.68, "PCA": 98.55, "IForest": 98.96, "VAE": 98.55, "GANomaly": 94.78},
    "annthyroid": {"kNN": 92.81, "PCA": 85.19, "IForest": 90.28, "VAE": 85.44, "GANomaly": 67.52},
    "satellite": {"kNN": 82.24, "PCA": 66.63, "IForest": 77.46, "VAE": 74.14, "GANomaly": 79.87},
    "pendigits": {"kNN": 99.87, "PCA": 94.37, "IForest": 97.22, "VAE": 94.5, "GANomaly": 67.93},
    "landsat": {"kNN": 68.25, "PCA": 43.9, "IForest": 58.8, "VAE": 54.22, "GANomaly": 55.34},
    "Pima": {"kNN": 76.94, "PCA": 72.28, "IForest": 74.26, "VAE": 73.18, "GANomaly": 60.45},
    "WDBC": {"kNN": 99.05, "PCA": 99.14, "IForest": 98.73, "VAE": 99.14, "GANomaly": 96.22},
    "breastw": {"kNN": 99.05, "PCA": 99.21, "IForest": 99.5, "VAE": 99.22, "GANomaly": 94.75},
}
REPEATED = ("Pima", "WDBC", "breastw")  # below 1,000 rows, which ADBench repeats before it splits them


def load(folder: str) -> dict[str, Data]:
    """The tables of a folder that `PUBLISHED` names, in its order.

    Raises:
      BadRequest: there is none.
    """
    paths = {name: Path(folder) / f"{name}.npz" for name in PUBLISHED}
    results = {name: split(path) for name, path in paths.items() if path.is_file()}
    if not results:
        raise BadRequest(f"{folder} holds none of {', '.join(f'{name}.npz' for name in PUBLISHED)}.")
    return results


def shuffled(folder: str, name: str, seeds: int) -> float:
    """Mean AUROC in per cent of the fifth neighbour where the half that is trained on is a random one."""
    results = []
    for seed in range(seeds):
        data = split(Path(folder) / f"{name}.npz", np.random.default_rng(seed))
        results.append(auroc(neighbour_distance(data.train.x, data.test.x), data.test.label == 1))
    return 100 * float(np.mean(results))


def split(path: Path, rng: np.random.Generator | None = None) -> Data:
    """Trained on: the first half of the normal rows (y = 0), in the order of the file or of `rng`. Tested: all others.

    Columns are standardised by the rows that are trained on. This is `data_generator.py` of DTE; "5 seeds" there are
    five times the same rows, so methods without randomness have a published deviation of 0.00.
    """
    with np.load(path, allow_pickle=False) as file:
        x, y = file["X"].astype(np.float64), file["y"].reshape(-1)
    normal = np.flatnonzero(y == 0) if rng is None else rng.permutation(np.flatnonzero(y == 0))
    half = round(len(normal) / 2)
    tested = np.concatenate([normal[half:], np.flatnonzero(y == 1)])
    train, test = standardised(x[normal[:half]], x[tested])
    label = (y[tested] == 1).astype(np.int32)
    splits = Split(train, np.zeros(half, np.int32)), Split(train[:0], label[:0]), Split(test, label)
    return Data(path.stem, "table", *splits, ("normal", "anomaly"), None, None, "", (), ("anomaly",))


def beside(name: str, ours: dict[str, float], shuffled: float) -> dict[str, float | str]:
    """A row of the table of what is ours and what was published, AUROC in per cent.

    >>> ours = {"nearest neighbours": 0.743, "vae": 0.7, "r3gan": 0.6, "distance from the mean": 0.715}
    >>> found = beside("Pima", ours, 74.1)
    >>> found["kNN"], found["kNN_published"], found["kNN_shuffled_rows"], found["published_leaks"]
    (74.3, 76.94, 74.1, 'yes')
    """
    published = PUBLISHED[name]
    return {
        "kNN": 100 * ours["nearest neighbours"],
        "kNN_published": published["kNN"],
        "kNN_shuffled_rows": shuffled,
        "distance_from_the_mean": 100 * ours["distance from the mean"],
        "vae": 100 * ours["vae"],
        "VAE_published": published["VAE"],
        "r3gan": 100 * ours["r3gan"],
        "GANomaly_published": published["GANomaly"],
        "published_leaks": "yes" if name in REPEATED else "no",
    }
