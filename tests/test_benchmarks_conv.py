"""The rows of convolutional nets: what is counted, what the recipes say, and the two settings of the allocator."""

import ctypes

import numpy as np
import optax
import pytest

from benchmarks import conv, conv_gans, conv_vae, mlp_vae, training
from jaxgen.nets import LAX
from jaxgen.recipes import Spec, defaults, find
from jaxgen.system import allocator


def multiplications(base):
    """By layer of a pyramid, from the shapes: [B, h, w, C] -> [B, h/2, w/2, O] with 4 x 4 x C x O taps."""
    channels, side, counts = [3, base, 2 * base, 4 * base], 32, []
    for c, o in zip(channels[:-1], channels[1:], strict=True):
        side //= 2
        counts.append(side * side * 16 * c * o)
    return counts


def test_work_is_counted():
    # Kills: a gradient in images or in z that no one needs; a turn or a pass left out; the up layers at other sizes.
    (first, *others), dense = multiplications(32), 4 * 4 * 128 * 128
    forward = 2 * (first + sum(others)) + 2 * dense + dense
    assert conv_vae.flops(128, 256, 128) == 2 * 128 * (3 * forward - first)
    (first, *others), head, latent = multiplications(64), 4096, 100 * 4096
    critic, generator = first + sum(others) + head, latent + first + sum(others)
    critic_turn = generator + 2 * (2 * first + 3 * (critic - first))
    generator_turn = 2 * latent + 3 * (generator - latent) + critic + critic
    assert conv_gans.flops(64, 512, 100, 1, penalised=False) == 2 * 64 * (critic_turn + generator_turn)
    mixed, slope, in_weights, in_slopes = critic, critic, critic, critic - head
    critic_turn += mixed + slope + in_weights + in_slopes
    assert conv_gans.flops(64, 512, 100, 5, penalised=True) == 2 * 64 * (5 * critic_turn + generator_turn)


def test_the_peers_numbers_are_the_recipes(monkeypatch):
    # Kills: a rate, moment, weight or balance that a recipe has changed and its peer has not.
    adams, plans = [], {}
    monkeypatch.setattr(optax, "adam", lambda rate, b1=0.9, b2=0.999: adams.append((rate, (b1, b2))))
    for name in ("vae", "gan", "wgan_gp"):
        plans[name] = find(name)(Spec(conv.SHAPE))
    assert adams[0] == (conv_vae.LEARNING_RATE, (0.9, 0.999))
    assert adams[1:3] == [conv_gans.RATES["gan"]] * 2 and adams[3:] == [conv_gans.RATES["wgan_gp"]] * 2
    assert plans["wgan_gp"].turns == (("critic",),) * conv_gans.CRITIC_TURNS + (("generator",),)
    assert defaults(find("wgan_gp"))["weight"] == conv_gans.WEIGHT
    assert plans["gan"].turns == (("critic",), ("generator",))


def test_both_settings_are_the_same(monkeypatch):
    # Kills: PyTorch's setting that differs from what ours asks for; a peer as it is met that has one; ours without.
    asked = {}

    class Library:
        @staticmethod
        def mallopt(name, value):
            asked[name] = value
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    assert allocator.keep_freed_memory()
    names = {-4: "MALLOC_MMAP_MAX_", -1: "MALLOC_TRIM_THRESHOLD_", -8: "MALLOC_ARENA_MAX"}
    assert {names[option]: str(value) for option, value in asked.items()} == conv.TUNED
    variants = conv.variants("vae", "conv_vae_torch:played", conv_vae.QUICK)
    assert {name for name, variant in variants.items() if variant.env == conv.TUNED} == {"torch eager", "torch compile"}
    assert {name for name, variant in variants.items() if not variant.env} == {"ours", *conv.AS_MET}
    assert all(variants[name].target.startswith("benchmarks.conv_vae_torch:") for name in conv.AS_MET)


def test_as_met_is_no_target(monkeypatch):
    # Kills: a row whose target the peers as they are met decide; settings that the table does not tell.
    said = []
    monkeypatch.setattr(training, "measure", lambda *a, **more: said.append(more) or {})
    for row in (conv_vae.measure, conv_gans.dcgan, conv_gans.wgan_gp):
        row(rounds=1, quick=False)
    assert [more["target"].bound for more in said] == [1.0, 1.0, 1.2]
    assert all(more["beside"] == conv.AS_MET and more["notes"] == conv.SETTINGS for more in said)


def test_images():
    # Kills: parts that repeat each other; pixels that a cast wraps.
    x = mlp_vae.images(600, (4, 4, 3))
    assert x.shape == (600, 4, 4, 3) and x.dtype == np.uint8
    assert len(np.unique(x.reshape(600, -1), axis=0)) == 600
    np.testing.assert_allclose(x.mean(), 127.5, atol=10)


def test_kernels_are_those_of_pytorch():
    # Kills: a kernel with two axes swapped; one that is turned around and should not be, or should and is not. What
    # PyTorch computes stands here by its definition, at stride 2 and padding 1.
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(1, 6, 6, 2)).astype(np.float32), rng.normal(size=(4, 4, 2, 3)).astype(np.float32)
    down, up = np.zeros((1, 3, 3, 3)), np.zeros((1, 14, 14, 3))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for a, b in np.ndindex(4, 4):
        down += np.einsum(
            "nijc,oc->nijo", padded[:, a : a + 6 : 2, b : b + 6 : 2], conv.as_torch(kernel, up=False)[..., a, b]
        )
        up[:, a : a + 12 : 2, b : b + 12 : 2] += np.einsum(
            "nijc,co->nijo", x, conv.as_torch(kernel, up=True)[..., a, b]
        )
    np.testing.assert_allclose(LAX.down(x, kernel), down, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(LAX.up(x, kernel), up[:, 1:-1, 1:-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("width", [64, 256])
def test_pyramid(width):
    # Kills: a base that is not the one of jaxgen.nets; channels that do not double.
    (first, *others) = multiplications(width // 8)
    assert conv.pyramid(width) == (first, sum(others), 4 * 4 * width // 2)
