"""Assemblers: parts and networks in, a `Game` out."""

from jaxgen.games.dirac import bilinear, dirac
from jaxgen.games.gan import gan, invert
from jaxgen.games.hybrid import aae
from jaxgen.games.observation import LEVELS, PIXELS, VECTORS, Observation
from jaxgen.games.spectral import spectral_norm
from jaxgen.games.vae import vae

__all__ = [
    "LEVELS",
    "PIXELS",
    "VECTORS",
    "Observation",
    "aae",
    "bilinear",
    "dirac",
    "gan",
    "invert",
    "spectral_norm",
    "vae",
]
