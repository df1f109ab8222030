"""Recipes: one function per paper, `(spec, *, options) -> Plan`. Options become flags, docstrings the list of recipes.

A recipe can be trained on points, tables and images: `Spec` chooses the networks and the likelihood for the shape of an
example, and makes the recipe conditional if the data have a condition.
"""

import difflib
import inspect
import re
from collections.abc import Mapping

from jaxgen.core import BadRequest
from jaxgen.recipes.attention import biggan, sagan
from jaxgen.recipes.autoencoding import began
from jaxgen.recipes.codes import bigan, infogan
from jaxgen.recipes.conditional import acgan, projection
from jaxgen.recipes.gans import gan, gan_ada, gan_minimax, hinge_sn, lsgan, pacgan, r3gan, sr_gan, wgan_gp
from jaxgen.recipes.hybrids import aae, cyclegan, vae_gan
from jaxgen.recipes.restrained import dragan, ragan, wgan
from jaxgen.recipes.spec import PRECISIONS, Recipe, Spec, build, check, defaults, name_of, options
from jaxgen.recipes.unrolling import unrolled
from jaxgen.recipes.vaes import LIKELIHOODS, beta_vae, flow_vae, fsq_vae, hvae, iwae, vae, vamp_vae, vq_vae
from jaxgen.training.program import Plan

__all__ = [
    "LIKELIHOODS",
    "PRECISIONS",
    "RECIPES",
    "Recipe",
    "Spec",
    "build",
    "check",
    "defaults",
    "departures",
    "example_plan",
    "explained",
    "find",
    "name_of",
    "options",
    "paper",
    "side",
    "summary",
    "wanted",
]

RECIPES: Mapping[str, Recipe] = {
    recipe.__name__: recipe
    for recipe in (
        *(vae, beta_vae, iwae, flow_vae, vamp_vae, hvae, vq_vae, fsq_vae),
        *(gan, gan_minimax, lsgan, wgan, wgan_gp, dragan, hinge_sn, ragan, r3gan, began, gan_ada, pacgan, sr_gan),
        *(sagan, biggan, unrolled, acgan, projection, infogan, bigan, aae, vae_gan, cyclegan),
    )
}

_OTHER_NAMES = {  # papers that are a recipe of another name here
    "dcgan": "it is gan, which has its loss and its Adam; the networks convolve images of 16 pixels a side and more",
    "sngan": "it is hinge_sn",
    "cgan": "it is any recipe with --condition label, such as gan",
    "tacgan": "it is jaxgen.games.acgan with auxiliary=TWIN_CLASSIFIER",
    "ebgan": "it is jaxgen.games.gan with a critic energy(autoencoder(...)) and loss=margin(m)",
}

_EXAMPLES = {  # by what they have beside small images
    "": Spec((8, 8, 1)),
    "labels": Spec((8, 8, 1), 10),
    "small images": Spec((8, 8, 1), (4, 4, 1)),
    "two domains": Spec((8, 8, 1), domains=("a", "b")),
}


def find(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
      BadRequest: an unknown name, with the nearest one, or with the recipe that it is under another name.

    >>> defaults(find("r3gan"))["gamma"]
    1.0
    """
    if name in RECIPES:
        return RECIPES[name]
    if other := _OTHER_NAMES.get(name.lower().replace("-", "").replace("_", "")):
        raise BadRequest(f"no recipe is called {name!r}: {other}.")
    near = difflib.get_close_matches(name, RECIPES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise BadRequest(f"unknown recipe {name!r}: {hint}There are {', '.join(RECIPES)}.")


def example_plan(recipe: Recipe) -> Plan:
    """The plan of a recipe for small images, with the least that it needs beside them: nothing, a condition, domains.

    Raises:
      BadRequest: what the recipe says without any of them, if it takes none.
    """
    for spec in _EXAMPLES.values():
        try:
            return recipe(spec)
        except BadRequest:
            continue
    return recipe(_EXAMPLES[""])


def wanted(recipe: Recipe, shape: tuple[int, ...]) -> str:
    """What a recipe that refuses plain data of `shape` wants beside any data, in words; empty if it wants nothing.

    A recipe that takes plain small images refuses the shape.

    >>> wanted(find("acgan"), (2,)), wanted(find("gan"), (2,)), wanted(find("gan"), (70, 70, 1))
    ('labels', '', '')
    """
    for what, spec in (("", Spec(shape)), *_EXAMPLES.items()):
        try:
            recipe(spec)
        except BadRequest:
            continue
        return what
    return ""


def summary(recipe: Recipe) -> str:
    """The first line of its docstring."""
    return (inspect.getdoc(recipe) or "").partition("\n")[0]


def paper(recipe: Recipe) -> str:
    """The paper that its docstring names."""
    return _entry(recipe, "Paper")


def departures(recipe: Recipe) -> str:
    """How its defaults depart from the paper, as its docstring says; empty if they do not."""
    return _entry(recipe, "Departs")


_COMMON = {
    "latent_dim": "numbers in a latent code",
    "learning_rate": "of Adam",
    "ema": "share of the new params in the moving average of the generator in each step, 1 - decay; 0: none is kept",
    "likelihood": f"of x given z: {', '.join(LIKELIHOODS)}; default: bernoulli for images, columns for vectors",
}


def explained(recipe: Recipe, option: str) -> str:
    """What an option of a recipe means, as its docstring says, in a line without a full stop.

    >>> explained(RECIPES["vae"], "learning_rate")
    'of Adam'
    """
    text = (inspect.getdoc(recipe) or "").partition("\nArgs:\n")[2]
    match = re.search(rf"^  {option}: (.*(?:\n    .*)*)", text, re.M)
    return " ".join(match[1].split()).removesuffix(".") if match else _COMMON.get(option, "")


def side(plan: Plan) -> str:
    """The side of a plan in a comparison, "vae", "gan" or "hybrid", determined by its players."""
    players = {name.partition(":")[0] for name in plan.game.losses}
    return "vae" if players == {"vae"} else "gan" if players == {"critic", "generator"} else "hybrid"


def _entry(recipe: Recipe, name: str) -> str:
    """The text after `name:` in a docstring, up to the next line that is not indented further."""
    text = inspect.getdoc(recipe) or ""
    match = re.search(rf"^{name}: (.*(?:\n  .*)*)", text, re.M)
    return " ".join(match[1].split()) if match else ""
