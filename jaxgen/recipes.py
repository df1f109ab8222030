"""A paper is a row: parts, networks, optimisers and turns that belong together.

Each row trains on points, on a table and on images: the shape of one example chooses the networks (`jaxgen.nets`) and
the observation.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax

from jaxgen.core import BadRequest, Game
from jaxgen.games import PIXELS, VECTORS, Observation, aae, gan, spectral_norm, vae
from jaxgen.nets import Networks, networks
from jaxgen.objectives import (
    GAUSSIAN,
    HINGE,
    IMPORTANCE,
    LEAST_SQUARES,
    NON_SATURATING,
    RELATIVISTIC,
    SATURATING,
    WASSERSTEIN,
    Adversarial,
    Penalty,
    add,
    gradient_penalty,
    r1,
    r2,
    sampled_kl,
)
from jaxgen.training.program import Plan
from jaxgen.training.step import ema_rate


class Recipe(NamedTuple):
    """One row of the table: who plays, with which weights and optimisers, in which balance."""

    name: str
    side: str  # "vae", "gan" or "hybrid": for whom it speaks in a comparison
    summary: str  # one line
    paper: str
    build: Callable[..., Game]  # (networks, latent_dim, observation, **weights) -> Game
    adam: Mapping[str, tuple[float, float, float]]  # optimiser slot -> (rate relative to `learning_rate`, b1, b2)
    turns: tuple[tuple[str, ...], ...]
    learning_rate: float
    weights: Mapping[str, float] = {}  # the options of its own, with their defaults
    latent_dim: int = 16
    batch_size: int = 128

    def plan(
        self,
        shape: tuple[int, ...],
        *,
        latent_dim: int | None = None,
        learning_rate: float | None = None,
        width: int | None = None,
        **weights: float,
    ) -> Plan:
        """The row for examples of `shape`: `(D,)`, or `(H, W, C)` in [0, 1].

        Raises:
          BadRequest: a weight that the row does not have, a value that cannot be, a shape that no network takes.
        """
        self.check(weights)
        size = _positive("latent_dim", self.latent_dim if latent_dim is None else latent_dim, whole=True)
        rate = _positive("learning_rate", self.learning_rate if learning_rate is None else learning_rate)
        nets = networks(shape, latent_dim=size, width=width)
        observation = PIXELS if len(shape) == 3 else VECTORS
        game = self.build(nets, size, observation, **{**self.weights, **weights})
        optimizers = {slot: optax.adam(rate * times, b1=b1, b2=b2) for slot, (times, b1, b2) in self.adam.items()}
        return Plan(game, optimizers, self.turns, ema_rate(0.001))

    def check(self, weights: Mapping[str, Any]) -> None:
        """Refuses weights that are not the row's own, or not non-negative numbers."""
        for name, value in weights.items():
            if name not in self.weights:
                own = ", ".join(f"--{w.replace('_', '-')}" for w in self.weights) or "no weights of its own"
                raise BadRequest(f"recipe {self.name} has no weight {name!r}: it takes {own}.")
            _positive(name, value, whole=isinstance(self.weights[name], int), zero=True)


def _positive(name: str, value: Any, *, whole: bool = False, zero: bool = False) -> Any:
    kind = "a whole number" if whole else "a number"
    least = "of at least 0" if zero and not whole else "of at least 1" if whole else "above 0"
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (whole and value != int(value)) or value < 0 or (value == 0 and (whole or not zero)):
        raise BadRequest(f"{name}={value!r}: it must be {kind} {least}.")
    return int(value) if whole else float(value)


def _vae(nets: Networks, latent_dim: int, observation: Observation, **parts) -> Game:
    encoder = nets.encoder(2 * latent_dim)
    return vae(encoder, nets.generator, latent_dim=latent_dim, observation=observation, **parts)


def _iwae(nets: Networks, latent_dim: int, observation: Observation, samples: float) -> Game:
    inside = sampled_kl(GAUSSIAN, GAUSSIAN)
    return _vae(nets, latent_dim, observation, divergence=inside, bound=IMPORTANCE, samples=int(samples))


def _gan(loss: Adversarial, penalty: Callable[..., Penalty] | None = None) -> Callable[..., Game]:
    def build(nets: Networks, latent_dim: int, observation: Observation, **weights) -> Game:
        parts: dict[str, Any] = {} if penalty is None else {"penalty": penalty(**weights)}
        return gan(nets.generator, nets.critic, latent_dim=latent_dim, observation=observation, loss=loss, **parts)

    return build


def _aae(nets: Networks, latent_dim: int, observation: Observation) -> Game:
    encoder = nets.encoder(latent_dim)
    return aae(encoder, nets.generator, nets.latent_critic, latent_dim=latent_dim, observation=observation)


_VAE_ADAM = {"vae": (1.0, 0.9, 0.999)}
_ALTERNATING = (("critic",), ("generator",))


def _both(b1: float, b2: float) -> dict[str, tuple[float, float, float]]:
    return {"critic": (1.0, b1, b2), "generator": (1.0, b1, b2)}


_ROWS = (
    Recipe(
        name="vae",
        side="vae",
        summary="Gaussian posterior, exact KL, pathwise gradient, ELBO",
        paper="arXiv 1312.6114",
        build=_vae,
        adam=_VAE_ADAM,
        turns=(("vae",),),
        learning_rate=1e-3,
    ),
    Recipe(
        name="beta_vae",
        side="vae",
        summary="the same with the KL weighted by beta",
        paper="Higgins et al. 2017",
        build=_vae,
        adam=_VAE_ADAM,
        turns=(("vae",),),
        learning_rate=1e-3,
        weights={"beta": 4.0},
    ),
    Recipe(
        name="iwae",
        side="vae",
        summary="sampled KL inside an importance bound of several samples",
        paper="arXiv 1509.00519",
        build=_iwae,
        adam=_VAE_ADAM,
        turns=(("vae",),),
        learning_rate=1e-3,
        weights={"samples": 8},
    ),
    Recipe(
        name="gan",
        side="gan",
        summary="non-saturating loss, no penalty, 1:1",
        paper="arXiv 1406.2661",
        build=_gan(NON_SATURATING),
        adam=_both(0.5, 0.999),
        turns=_ALTERNATING,
        learning_rate=2e-4,
    ),
    Recipe(
        name="gan_minimax",
        side="gan",
        summary="the saturating minimax loss, no penalty, 1:1",
        paper="arXiv 1406.2661",
        build=_gan(SATURATING),
        adam=_both(0.5, 0.999),
        turns=_ALTERNATING,
        learning_rate=2e-4,
    ),
    Recipe(
        name="lsgan",
        side="gan",
        summary="least squares on the logits, no penalty, 1:1",
        paper="arXiv 1611.04076",
        build=_gan(LEAST_SQUARES),
        adam=_both(0.5, 0.999),
        turns=_ALTERNATING,
        learning_rate=2e-4,
    ),
    Recipe(
        name="wgan_gp",
        side="gan",
        summary="Wasserstein loss, gradient penalty, five critic turns to one",
        paper="arXiv 1704.00028",
        build=_gan(WASSERSTEIN, gradient_penalty),
        adam=_both(0.0, 0.9),
        turns=(("critic",),) * 5 + (("generator",),),
        learning_rate=1e-4,
        weights={"weight": 10.0},
    ),
    Recipe(
        name="hinge_sn",
        side="gan",
        summary="hinge loss, spectrally normalised critic, five critic turns to one",
        paper="arXiv 1802.05957",
        build=lambda *parts: spectral_norm(_gan(HINGE)(*parts)),
        adam=_both(0.0, 0.9),
        turns=(("critic",),) * 5 + (("generator",),),
        learning_rate=2e-4,
    ),
    Recipe(
        name="r3gan",
        side="gan",
        summary="relativistic paired loss, R1 and R2, 1:1",
        paper="arXiv 2501.05441",
        build=_gan(RELATIVISTIC, lambda gamma: add(r1(gamma), r2(gamma))),
        adam=_both(0.0, 0.99),
        turns=_ALTERNATING,
        learning_rate=5e-4,
        weights={"gamma": 1.0},
    ),
    Recipe(
        name="aae",
        side="hybrid",
        summary="autoencoder whose codes a critic shapes; a second loss of one player",
        paper="arXiv 1511.05644",
        build=_aae,
        adam={"autoencoder": (1.0, 0.9, 0.999), "autoencoder:fool": (0.2, 0.5, 0.999), "critic": (0.2, 0.5, 0.999)},
        turns=(("autoencoder",), ("critic",), ("autoencoder:fool",)),
        learning_rate=1e-3,
    ),
)

RECIPES: Mapping[str, Recipe] = {row.name: row for row in _ROWS}


def find(name: str) -> Recipe:
    """The row called `name`.

    Raises:
      BadRequest: an unknown name, with the nearest one.

    >>> find("r3gan").weights
    {'gamma': 1.0}
    """
    if name in RECIPES:
        return RECIPES[name]
    near = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise BadRequest(f"unknown recipe {name!r}: {hint}There are {', '.join(RECIPES)}.")
