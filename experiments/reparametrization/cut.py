"""Claim 1a: what reaches the encoder of a VAE whose sample has no gradient path."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import plots
from experiments.evidence import Claim, Picture, Verdict
from jaxgen.core import Batch, as_float
from jaxgen.data import load
from jaxgen.games import vae
from jaxgen.latents import vector
from jaxgen.objectives import CUT, PATHWISE
from jaxgen.recipes import Spec
from jaxgen.training.step import make_step

WAYS = {  # estimator, weight of the KL
    "direct draw, reconstruction alone": (CUT, 0.0),
    "direct draw, whole loss": (CUT, 1.0),
    "reparametrized, reconstruction alone": (PATHWISE, 0.0),
    "reparametrized, whole loss": (PATHWISE, 1.0),
}
ALONE, WHOLE, _, TRICK = WAYS
IDLE = 0.05  # a code with less than this share of the reparametrized one's KL says nothing about its image


@dataclasses.dataclass(frozen=True)
class Config:
    """A small VAE on the embedded digits."""

    seeds: int = 10
    steps: int = 1000
    batch: int = 128
    latent: int = 8
    width: int = 64
    rate: float = 2e-3


def verdict(figures: Mapping[str, Any]) -> Verdict:
    """Supported where the direct draw passes exactly nothing to the encoder and its code says nothing in the end."""
    alone, whole, trick = (figures["ways"][way] for way in (ALONE, WHOLE, TRICK))
    leak, least = alone["largest_encoder_gradient"], alone["smallest_decoder_gradient"]
    if leak > 0 or alone["encoder_moved"] > 0:
        return Verdict("not supported", f"An encoder gradient of up to {leak:.2g} passes the direct draw.")
    if not (least > 0 and alone["reconstruction_end_nats"] < alone["reconstruction_start_nats"]):
        return Verdict(
            "not supported",
            "The direct draw leaves the encoder without a gradient, but the decoder does not learn either.",
        )
    share = whole["kl_end_nats"] / trick["kl_end_nats"]
    sentence = (
        "Through a direct draw the gradient of every encoder weight is exactly zero, and that of the decoder is not. "
        f"The KL term has a formula of its own and does move the encoder (gradient norm {whole['encoder_norm']:.3g})"
    )
    if share > IDLE:
        return Verdict(
            "depends", f"{sentence}; with it the code ends with {share:.0%} of the usual KL.".replace("%", " %")
        )
    return Verdict(
        "supported",
        f"{sentence}, but only towards the prior: the code ends with a KL of {whole['kl_end_nats']:.2g} nats, where "
        f"{trick['kl_end_nats']:.2g} are usual.",
    )


def main(config: Config) -> tuple[list[Claim], dict[str, Picture]]:
    """Gradients at the start of training, leaf by leaf, and what training makes of them."""
    x = jnp.asarray(as_float(load("digits").train.x))
    runs = {way: list(map(runner(way, x, config), range(config.seeds))) for way in WAYS}
    figures = {"ways": {way: summary([results for results, _ in seeds]) for way, seeds in runs.items()}}
    claim = Claim(
        "1a",
        "Sampling z directly cuts the graph: the decoder learns, the encoder does not.",
        verdict(figures),
        "Supported if, over all seeds and weights, the encoder's gradient through the direct draw is exactly zero, no "
        "decoder weight array is without one, the reconstruction improves, and under the whole loss the code ends with "
        f"at most {100 * IDLE:g} % of the reparametrized KL; if only the last fails, it depends.",
        "One dense network on 8x8 digits. The gradient is zero for any network; how well a decoder does without its "
        "encoder differs.",
        figures,
        config.seeds,
    )
    curves = {way: np.array([curve for _, curve in seeds]) for way, seeds in runs.items()}
    caption = "Mean over seeds; bands run from the least to the largest seed. Lower is better."
    return [claim], {"cut.png": Picture(caption, draw(curves))}


def runner(way: str, x: jax.Array, config: Config) -> Callable[[int], tuple[dict[str, float], np.ndarray]]:
    """seed -> figures, and the reconstruction error after each step, f64[steps] nats; compiled once."""
    estimator, beta = WAYS[way]
    spec, latent = Spec(x.shape[1:], width=config.width), vector(config.latent, estimator=estimator)
    game = vae(spec.encoder(2 * config.latent), spec.decoder(), latent, beta=beta)
    step = make_step(game, {"vae": optax.adam(config.rate)}, (("vae",),))
    first = Batch(x[: config.batch])

    @jax.jit
    def slopes(state, key):
        noise = game.draw(key, first)
        return jax.grad(lambda params: game.losses["vae"](params, noise, first, state.context)[0])(state.params)["vae"]

    @jax.jit
    def train(state, k_noise, k_data):
        def play(state, i):
            rows = draw_rows(jax.random.fold_in(k_data, i), config.batch, len(x))
            state, info = step.update(state, k_noise, Batch(x[rows][None]))
            return state, (info["vae"]["nll_nats"], info["vae"]["kl_nats"])

        return jax.lax.scan(play, state, jnp.arange(config.steps))

    def run(seed):
        k_init, k_noise, k_data = jax.random.split(jax.random.key(seed), 3)
        state = step.init(k_init, first)
        grads = slopes(state, k_noise)
        end, (nll, kl) = train(state, k_noise, k_data)
        moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), *(s.params["vae"]["encoder"] for s in (end, state)))
        return _figures(grads, moved, *(np.asarray(a, np.float64) for a in (nll, kl))), np.asarray(nll, np.float64)

    return run


def _figures(grads: Any, moved: Any, nll: np.ndarray, kl: np.ndarray) -> dict[str, float]:
    encoder, decoder = (
        [float(jnp.abs(a).max()) for a in jax.tree.leaves(grads[side])] for side in ("encoder", "decoder")
    )
    last = max(1, len(nll) // 10)
    return {
        "encoder_arrays": len(encoder),
        "encoder_arrays_without_gradient": sum(value == 0 for value in encoder),
        "largest_encoder_gradient": max(encoder),
        "encoder_norm": float(optax.tree.norm(grads["encoder"])),
        "smallest_decoder_gradient": min(decoder),
        "encoder_moved": float(max(jax.tree.leaves(moved))),
        "reconstruction_start_nats": float(nll[0]),
        "reconstruction_end_nats": float(nll[-last:].mean()),
        "kl_end_nats": float(kl[-last:].mean()),
    }


def draw_rows(key: jax.Array, n: int, of: int) -> jax.Array:
    """Which examples a step sees."""
    return jax.random.choice(key, of, (n,), replace=False)


def summary(seeds: list[dict[str, float]]) -> dict[str, float]:
    """The worst seed of extremes, the mean of the rest."""
    pick = {"largest": max, "smallest": min, "encoder_moved": max, "encoder_arrays": min}
    return {
        name: float(
            next((how for word, how in pick.items() if name.startswith(word)), np.mean)([s[name] for s in seeds])
        )
        for name in seeds[0]
    }


def draw(curves: Mapping[str, np.ndarray]) -> bytes:
    """Reconstruction error of the four ways while they train."""
    picture, axes = plots.figure("What the decoder learns with and without a gradient to the encoder", 5.2)
    panel, colours = axes[0, 0], (plots.ORANGE, plots.PURPLE, plots.GREEN, plots.BLUE)
    ends = []
    for (way, all_seeds), colour in zip(curves.items(), colours, strict=True):
        width = max(1, all_seeds.shape[1] // 50)
        blocks = all_seeds[:, : all_seeds.shape[1] // width * width].reshape(len(all_seeds), -1, width).mean(-1)
        steps = (np.arange(blocks.shape[1]) + 0.5) * width
        panel.plot(steps, blocks.mean(0), color=colour)
        panel.fill_between(steps, blocks.min(0), blocks.max(0), color=colour, alpha=0.2, linewidth=0)
        ends.append((float(blocks.mean(0)[-1]), way, colour, float(steps[-1])))
    low, high = panel.get_ylim()[0], 1.5 * max(value for value, *_ in ends)  # the fall of the first steps is steep
    panel.set_ylim(low, high)
    at = -np.inf
    for value, way, colour, x in sorted(ends):
        at = max(value, at + 0.13 * (high - low))
        plots.label(panel, 1.02 * x, at, way.replace(", ", ",\n"), colour, fontsize=12)
    panel.set(xlabel="steps of training", ylabel="reconstruction error, nats per image")
    return plots.png(picture)
