"""Functions that build a `Game` from parts and networks."""

from jaxgen.games.began import began
from jaxgen.games.bidirectional import bigan
from jaxgen.games.cycle import cycle
from jaxgen.games.dirac import bilinear, dirac, lq
from jaxgen.games.gan import gan
from jaxgen.games.hybrid import aae
from jaxgen.games.inversion import invert
from jaxgen.games.latent_optimisation import latent_optimised
from jaxgen.games.reading import acgan, infogan
from jaxgen.games.unrolling import unrolled
from jaxgen.games.vae import vae
from jaxgen.games.vae_gan import vae_gan

__all__ = [
    "aae",
    "acgan",
    "began",
    "bigan",
    "bilinear",
    "cycle",
    "dirac",
    "gan",
    "infogan",
    "invert",
    "latent_optimised",
    "lq",
    "unrolled",
    "vae",
    "vae_gan",
]
