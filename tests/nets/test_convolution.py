"""Both forms of convolution against each other, against float64 NumPy, and against the definition of an adjoint."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.core import BadRequest
from jaxgen.nets import LAX, MATMUL, convolutions

# name: (B, H, W, C, O, products of `down`); one row for each branch of MATMUL.
CASES = {
    "few channels": (2, 8, 4, 3, 5, 1),
    "odd small side": (2, 6, 4, 16, 3, 1),
    "winograd": (2, 8, 4, 16, 7, 9),
}


def example(case):
    batch, height, width, channels, out, _ = CASES[case]
    rng = np.random.default_rng(len(case))
    x = rng.normal(size=(batch, height, width, channels))
    y = rng.normal(size=(batch, height // 2, width // 2, out))
    k = rng.normal(size=(out, 4, 4, channels)) / np.sqrt(4 * channels)
    return tuple(jnp.asarray(a, jnp.float32) for a in (x, y, k))


def relative(got, want):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return np.abs(got - want).max() / np.abs(want).max()


def first(f):
    return jax.grad(lambda a, k: jnp.tanh(f(a, k)).sum(), (0, 1))


def second(f):
    return jax.grad(lambda a, k: sum((g**2).sum() for g in first(f)(a, k)), (0, 1))


def everything(form, x, y, k):
    """Values, gradients, gradients of the squared gradient norm, and gradients mapped over images and kernels."""
    mapped = {}
    for name, f, a in (("down", form.down, x), ("up", form.up, y)):
        both = jax.vmap(first(f))(jnp.stack([a, 2 * a]), jnp.stack([k, -k]))
        mapped[name] = {"value": f(a, k), "first": first(f)(a, k), "second": second(f)(a, k), "vmap": both}
    return mapped


@pytest.mark.parametrize("case", CASES)
def test_matmul_agrees_with_lax(case):
    # Kills: a wrong sign or a missing term in _untaps, _sums, _scatter; match and its operands the wrong way round.
    got, want = (jax.jit(partial(everything, form))(*example(case)) for form in (MATMUL, LAX))
    errors = jax.tree.map(relative, got, want)
    assert max(jax.tree.leaves(errors)) < 2e-5, errors


@pytest.mark.parametrize("form", [MATMUL, LAX], ids=["matmul", "lax"])
@pytest.mark.parametrize("case", CASES)
def test_values_against_float64_and_the_adjoint(case, form):
    # Kills: padding on one side; a kernel's rows and columns exchanged; one not flipped in `up`; channels out of order.
    x, y, k = example(case)
    exact_x, exact_y, exact_k = (np.asarray(a, np.float64) for a in (x, y, k))
    padded = np.pad(exact_x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    down = np.zeros(y.shape)
    up = np.zeros(padded.shape)
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            window = np.s_[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
            down[:, i, j] = np.einsum("bijc,oijc->bo", padded[window], exact_k)
            up[window] += np.einsum("bo,oijc->bijc", exact_y[:, i, j], exact_k)
    got_down, got_up = jax.jit(lambda x, y, k: (form.down(x, k), form.up(y, k)))(x, y, k)
    assert relative(got_down, down) < 2e-6
    assert relative(got_up, up[:, 1:-1, 1:-1]) < 2e-6
    there, back = np.vdot(np.asarray(got_down, np.float64), exact_y), np.vdot(np.asarray(got_up, np.float64), exact_x)
    assert abs(there - back) < 1e-5 * np.linalg.norm(x) * np.linalg.norm(y)


def test_winograd_is_accurate_with_many_channels():
    # Kills: transforms with larger coefficients, which lose digits (F(4x4, 2x2) and up).
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(2, 4, 4, 256)), rng.normal(size=(32, 4, 4, 256))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (1, 2))[:, ::2, ::2]
    exact = np.einsum("bhwcij,oijc->bhwo", windows, k, optimize=True)
    assert relative(jax.jit(MATMUL.down)(jnp.float32(x), jnp.float32(k)), exact) < 3e-6


@pytest.mark.parametrize("case", ["few channels", "winograd"])
def test_scan_agrees_with_a_loop_of_lax(case):
    # Kills: a residual or shape that depends on the trace around it.
    x, _, k = example(case)

    def train(form, k):
        return k - 0.01 * first(form.down)(x, k)[1]

    scanned, _ = jax.jit(lambda k: lax.scan(lambda k, _: (train(MATMUL, k), None), k, None, length=3))(k)
    looped = jax.jit(lambda k: train(LAX, train(LAX, train(LAX, k))))(k)
    assert relative(scanned - k, looped - k) < 2e-5


@pytest.mark.parametrize("case", CASES)
def test_programs_of_matmul_hold_no_convolution(case):
    # Kills: a fall-back to XLA's convolutions in a branch or a gradient, ruinous inside a scan; a branch never taken.
    programs = {form: str(jax.make_jaxpr(partial(everything, form))(*example(case))) for form in (MATMUL, LAX)}
    assert "conv_general_dilated" in programs[LAX]
    assert "conv_general_dilated" not in programs[MATMUL]
    x, _, k = example(case)
    assert str(jax.make_jaxpr(MATMUL.down)(x, k)).count("dot_general[") == CASES[case][-1]


def test_forward_mode_is_there_for_lax_only():
    # Kills: a docstring that no longer tells the truth.
    x, y, k = example("winograd")
    for f, a in ((LAX.down, x), (LAX.up, y)):
        _, tangent = jax.jvp(lambda a, f=f: f(a, k), (a,), (a + 1,))
        assert relative(tangent, f(a + 1, k)) < 1e-6
    for f, a in ((MATMUL.down, x), (MATMUL.up, y)):
        with pytest.raises(TypeError, match="forward-mode"):
            jax.jvp(lambda a, f=f: f(a, k), (a,), (a,))


def test_the_switch_follows_the_backend(monkeypatch):
    # Kills: the two forms exchanged.
    for backend, form in (("cpu", MATMUL), ("gpu", LAX), ("tpu", LAX)):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert convolutions() is form


@pytest.mark.parametrize("form", [MATMUL, LAX], ids=["matmul", "lax"])
def test_odd_sides_are_refused(form):
    # Kills: XLA's silent loss of the last row.
    with pytest.raises(BadRequest, match="7x8.*pad"):
        form.down(jnp.zeros((1, 7, 8, 3)), jnp.zeros((2, 4, 4, 3)))
