"""Assemblers: parts and networks in, a `Game` out."""

from jaxgen.games.cycle import cycle
from jaxgen.games.dirac import bilinear, dirac, lq
from jaxgen.games.gan import gan
from jaxgen.games.hybrid import aae
from jaxgen.games.inversion import invert
from jaxgen.games.unrolling import unrolled
from jaxgen.games.vae import vae

__all__ = ["aae", "bilinear", "cycle", "dirac", "gan", "invert", "lq", "unrolled", "vae"]
