"""What a latent space holds, and how straight it runs."""

from collections.abc import Callable

import numpy as np


def active_units(means, *, threshold: float = 0.01) -> int:
    """Latent dimensions that carry something: variance over examples of the posterior mean above `threshold`.

    Args:
      means: [N, D], the posterior mean (or the code) of N examples.
      threshold: variance, in squared units of the latent.

    Burda et al. 2016, arXiv 1509.00519.

    >>> active_units(np.array([[0.0, 5.0], [1.0, 5.01]]))
    1
    """
    return int(np.sum(np.var(np.asarray(means, np.float64), axis=0) > threshold))


def path_ratio(decode: Callable, embed: Callable, start, end, *, steps: int = 16) -> float | None:
    """How much longer the decoded way between latent points is than the straight line: 1 or more, lower is smoother.

      sum_p sum_s |f(z_p(s+1)) - f(z_p(s))| / sum_p |f(z_p(S)) - f(z_p(0))|,
      f = embed(decode(.)), z_p(s) = (1 - s/S) start_p + (s/S) end_p

    At least 1 by the triangle inequality. Lengths are summed over the pairs before they are divided, so that a pair
    whose ends decode to the same example cannot decide the figure. None if all are so, as in a collapsed decoder.

    Args:
      decode: f32[B, D] -> x.
      embed: x -> [B, F].
      start: [P, D].
      end: [P, D].
      steps: S.

    After the perceptual path length of Karras et al. 2019, arXiv 1812.04948, with lengths in place of squared slopes:
    it has no unit, so that models with different latent spaces can be compared.

    >>> parabola = lambda z: np.concatenate([z, z**2], -1)
    >>> round(path_ratio(parabola, lambda x: x, np.array([[0.0]]), np.array([[1.0]]), steps=2), 4)
    1.0327
    """
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    at = np.linspace(0, 1, steps + 1, dtype=np.float32)[:, None, None]
    way = (1 - at) * start + at * end
    embedded = np.asarray(embed(np.asarray(decode(way.reshape(-1, way.shape[-1])))), np.float64)
    embedded = embedded.reshape(steps + 1, len(start), -1)
    straight = np.linalg.norm(embedded[-1] - embedded[0], axis=-1).sum()
    if straight == 0:
        return None
    return float(np.linalg.norm(np.diff(embedded, axis=0), axis=-1).sum() / straight)
