"""The game of two: a critic that tells real from fake, a generator that it teaches."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, Game, Memo, Model, Note, network
from jaxgen.games.observation import PIXELS, Observation
from jaxgen.games.vae import check_width, squared_error
from jaxgen.objectives import GAUSSIAN, NO_AUGMENT, NO_PENALTY, NON_SATURATING, Adversarial, Augment, Penalty


def gan(
    generate: Any,
    critic: Any,
    *,
    latent_dim: int,
    observation: Observation = PIXELS,
    loss: Adversarial = NON_SATURATING,
    penalty: Penalty = NO_PENALTY,
    augment: Augment = NO_AUGMENT,
) -> Game:
    """Two losses, each minimised in its own player's params: no `stop_gradient` between players.

    critic: mean_B(loss.critic(D(x), D(G(z))) + penalty); generator: mean_B(loss.generator(D(x), D(G(z)))), with
    G(z) the mean of the observation and z ~ N(0, I). Goodfellow et al. 2014, arXiv 1406.2661, eq. 1.

    Args:
      generate: network z [B, D] -> y [B, ...]; the same network decodes in a VAE.
      critic: network x [B, ...] -> logits [B].
      latent_dim: D.
      observation: from y to x; only its mean is used.
      loss: what each player minimises.
      penalty: added to the critic's loss.
      augment: what the critic is shown of x and of G(z), in both losses, and where the penalty looks for its slope. The
        model's score is of x as it is.

    Returns:
      A game of the players "critic" and "generator". The info of a critic's turn holds the mean logits and penalty.
    """
    generator, judge = network(generate), network(critic)

    def init(key, batch: Batch):
        k_critic, k_generator = jax.random.split(key)
        z = jnp.zeros((batch.x.shape[0], latent_dim))
        return {"critic": judge.init(k_critic, batch.x), "generator": generator.init(k_generator, z)}, {}

    def draw(key, batch: Batch):
        k_z, k_penalty, k_real, k_fake = jax.random.split(key, 4)
        return {
            "z": GAUSSIAN.draw(k_z, (batch.x.shape[0], latent_dim)),
            "penalty": penalty.draw(k_penalty, batch.x),
            "real": augment.draw(k_real, batch.x),
            "fake": augment.draw(k_fake, batch.x),
        }

    def fake_of(params, z):
        return observation.mean(generator.apply(params["generator"], z))

    def shown(params, noise, batch, memo):
        fake = augment.show(fake_of(params, noise["z"]), noise["fake"], memo.round)
        return augment.show(batch.x, noise["real"], memo.round), fake

    def critic_loss(params, noise, batch: Batch, memo: Memo):
        def see(x):
            return judge.apply(params["critic"], x)

        real, fake = shown(params, noise, batch, memo)
        on_real, on_fake = see(real), see(fake)
        extra = penalty.value(see, real, fake, noise["penalty"])
        if extra.shape != batch.x.shape[:1]:
            raise BadRequest(f"a penalty gives one number per example, [B], not {extra.shape}.")
        note = {"real_logit": jnp.mean(on_real), "fake_logit": jnp.mean(on_fake), "penalty": jnp.mean(extra)}
        return jnp.mean(each_alone(loss.critic(on_real, on_fake), batch) + extra), Note(note)

    def generator_loss(params, noise, batch: Batch, memo: Memo):
        logits = (judge.apply(params["critic"], x) for x in shown(params, noise, batch, memo))
        return jnp.mean(each_alone(loss.generator(*logits), batch)), Note({})

    def model(params, carry):
        def sample(z):
            return fake_of(params, z)

        return Model(
            draw=lambda key, n: GAUSSIAN.draw(key, (n, latent_dim)),
            sample=sample,
            decode=sample,
            scores={"critic": lambda noise, x: -judge.apply(params["critic"], x)},
            features={} if judge.hidden is None else {"critic": lambda x: judge.hidden(params["critic"], x)},
        )

    losses = {"critic": critic_loss, "generator": generator_loss}
    return Game(init, draw, losses, model, range=observation.range)


def each_alone(values: Array, batch: Batch) -> Array:
    """`values` of an adversarial loss, one for each example.

    Raises:
      BadRequest: any other shape, such as all pairs [B, B], whose mean would be taken without a word.
    """
    if values.shape != batch.x.shape[:1]:
        raise BadRequest(f"an adversarial loss gives one number per example, [B], not {values.shape}.")
    return values


def invert(game: Game, encode: Any) -> Game:
    """Gives a trained GAN its missing encoder: regression of z on G(z), with the generator at rest in the carry.

    loss = mean_B |E(G(z)) - z|^2 / D: the "latent regressor" that Donahue et al. 2017 (arXiv 1605.09782) set beside
    their bidirectional GAN. It is trained afterwards, so the GAN itself is the same with and without it.

    Args:
      game: a game whose model has `decode` and draws z itself as noise.
      encode: network x [B, ...] -> [B, D].

    Returns:
      A game of the player "encoder". `init` puts fresh params of `game` into the carry: replace the state's
      `memo.carry["trained"]` by the trained ones. Its model is that of `game`, with `encode`, the score
      "reconstruction" and the features "encoder" added.
    """
    encoder = network(encode)

    def init(key, batch: Batch):
        k_own, k_game = jax.random.split(key)
        params, carry = game.init(k_game, batch)
        return {"encoder": encoder.init(k_own, batch.x)}, {"trained": (params, carry)}

    def draw(key, batch: Batch):
        params, carry = jax.eval_shape(game.init, key, batch)
        return game.model(params, carry).draw(key, batch.x.shape[0])

    def loss(params, noise, batch: Batch, memo: Memo):
        x = game.model(*memo.carry["trained"]).sample(noise)
        code = encoder.apply(params["encoder"], x)
        check_width("encoder", code, noise.shape[-1], "one for each latent")
        return jnp.mean((code - noise) ** 2), Note({})

    def model(params, carry):
        trained = game.model(*carry["trained"])

        def encode(x):
            return encoder.apply(params["encoder"], x)

        features = dict(trained.features)
        if encoder.hidden is not None:
            features["encoder"] = lambda x: encoder.hidden(params["encoder"], x)
        return trained._replace(
            encode=encode,
            scores={**trained.scores, "reconstruction": lambda noise, x: squared_error(x, trained.decode(encode(x)))},
            features=features,
        )

    return Game(init, draw, {"encoder": loss}, model)
