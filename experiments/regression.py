"""The network of the GAN for super-resolution trained on the squared error alone: what a VAE and a GAN stand beside."""

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import optax

from experiments.extras import models_alone
from experiments.settings import Config, Found, check, kept, place, played
from jaxgen.comparison import ledger
from jaxgen.core import Aux, Batch, Game, Model, draw_each, inputs, rows
from jaxgen.games.parts import evaluation
from jaxgen.recipes import Spec
from jaxgen.tasks import RESTORE
from jaxgen.training.program import Plan
from jaxgen.training.step import Ema, ema_rate

LATENT = 4  # numbers beside the small image, as in sr_gan; here all of them are zero
NAME = "squared error"


def squared_error(spec: Spec, *, learning_rate: float = 1e-3) -> Plan:
    """The mean squared error of G(0, c) to x, with the generator G of `sr_gan` and its moving average.

    Paper: of that loss for super-resolution, Dong et al. 2014 (arXiv 1501.00092)

    Args:
      learning_rate: of Adam; that of `vae`.
    """
    generator = spec.generator()

    def given(batch: Batch):
        return inputs(jnp.zeros((rows(batch), LATENT)), batch.condition)

    def init(key, batch: Batch):
        params, state = generator.init(key, *given(batch))
        return {"network": params}, {"network": state}

    def draw(key, batch: Batch):
        return draw_each(key, network=(generator.draw, *given(batch)))

    def loss(params, noise, batch: Batch, context):
        output, state = generator.apply(params["network"], context.state["network"], noise["network"], *given(batch))
        error = jnp.mean((output - batch.x) ** 2)
        return error, Aux({"squared_error": error}, {"network": state})

    def model(params, state):
        if spec.condition is None:  # a mean image, which no comparison asks for
            return Model()
        return Model(
            draw=lambda key, n, condition=None: jnp.zeros((n, LATENT)),
            sample=evaluation(generator, params["network"], state["network"]),
        )

    game = Game(init, draw, {"network": loss}, model)
    return Plan(game, {"network": optax.adam(learning_rate)}, (("network",),), Ema(ema_rate(0.001), ("network",)))


def regressions(sets: Mapping[str, Found], config: Config, home: Path | None = None) -> dict[str, Found]:
    """The same super-resolution by that network, on the data, splits and seeds of `sets`, in the time of a GAN."""
    results = {}
    with kept(home) as folder:
        for name, beside in sets.items():
            part = config.sets[name]._replace(words=(NAME.replace(" ", "-"),))
            out = place(folder, name, part, config.seeds)
            check(out, beside.data)
            if len(list((out / "seeds").glob("*.json"))) < config.seeds:
                played(beside.data, {NAME: squared_error}, (models_alone(RESTORE),), part.seconds, config.seeds, out)
            outcomes, baselines = ledger.load(out)
            seconds = sum(outcome.seconds for outcome in outcomes[NAME].values())
            results[name] = beside._replace(report={}, outcomes=outcomes, baselines=baselines, seconds=seconds)
    return results
