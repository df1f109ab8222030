"""Both forms of convolution against each other, float64 NumPy, Linen's layers, and the definition of an adjoint."""

from functools import partial

import flax.linen as nn
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
    "winograd of many positions": (4, 16, 16, 16, 7, 9),
}


def example(case):
    """x and a kernel [4, 4, C, O] for `down`, y and the kernel [4, 4, O, C] whose `up` is the adjoint."""
    batch, height, width, channels, out, _ = CASES[case]
    rng = np.random.default_rng(len(case))
    x = rng.normal(size=(batch, height, width, channels))
    y = rng.normal(size=(batch, height // 2, width // 2, out))
    k = rng.normal(size=(4, 4, channels, out)) / np.sqrt(4 * channels)
    return tuple(jnp.asarray(a, jnp.float32) for a in (x, y, k, k[::-1, ::-1].swapaxes(2, 3)))


def relative(got, want):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return np.abs(got - want).max() / np.abs(want).max()


def first(f):
    return jax.grad(lambda a, k: jnp.tanh(f(a, k)).sum(), (0, 1))


def second(f):
    return jax.grad(lambda a, k: sum((g**2).sum() for g in first(f)(a, k)), (0, 1))


def everything(form, x, y, k, k_up):
    """Values, gradients, gradients of the squared gradient norm, and gradients mapped over images and kernels."""
    mapped = {}
    for name, f, *both in (("down", form.down, x, k), ("up", form.up, y, k_up), ("same", form.same, x, k[1:, :3])):
        a, kernel = both
        two = jax.vmap(first(f))(jnp.stack([a, 2 * a]), jnp.stack([kernel, -kernel]))
        mapped[name] = {"value": f(*both), "first": first(f)(*both), "second": second(f)(*both), "vmap": two}
    return mapped


@pytest.mark.parametrize("case", CASES)
def test_matmul_agrees_with_lax(case):
    # Kills: a wrong sign or a missing term in _untaps, _sums, _scatter; match and its operands the wrong way round.
    # Also: a kernel of Winograd's `up` that is not turned; windows of 3x3 whose adjoint is none.
    got, want = (jax.jit(partial(everything, form))(*example(case)) for form in (MATMUL, LAX))
    errors = jax.tree.map(relative, got, want)
    assert max(jax.tree.leaves(errors)) < 2e-5, errors


@pytest.mark.parametrize("form", [MATMUL, LAX], ids=["matmul", "lax"])
@pytest.mark.parametrize("case", CASES)
def test_values_against_float64_and_the_adjoint(case, form):
    # Kills: padding on one side; a kernel's rows and columns exchanged; one not flipped in `up`; channels out of order.
    x, y, k, k_up = example(case)
    exact_x, exact_y, exact_k = (np.asarray(a, np.float64) for a in (x, y, k))
    padded = np.pad(exact_x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    down = np.zeros(y.shape)
    up = np.zeros(padded.shape)
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            window = np.s_[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
            down[:, i, j] = np.einsum("bijc,ijco->bo", padded[window], exact_k)
            up[window] += np.einsum("bo,ijco->bijc", exact_y[:, i, j], exact_k)
    got_down, got_up = jax.jit(lambda x, y: (form.down(x, k), form.up(y, k_up)))(x, y)
    assert relative(got_down, down) < 2e-6
    assert relative(got_up, up[:, 1:-1, 1:-1]) < 2e-6
    there, back = np.vdot(np.asarray(got_down, np.float64), exact_y), np.vdot(np.asarray(got_up, np.float64), exact_x)
    assert abs(there - back) < 1e-5 * np.linalg.norm(x) * np.linalg.norm(y)


@pytest.mark.parametrize("form", [MATMUL, LAX], ids=["matmul", "lax"])
@pytest.mark.parametrize("case", CASES)
def test_kernels_are_those_of_linen(case, form):
    # Kills: a layout that other libraries, and a spectral norm over all axes but the last, do not know.
    x, y, k, k_up = example(case)
    out, channels = k.shape[-1], x.shape[-1]
    down = nn.Conv(out, (4, 4), 2, 1, use_bias=False).apply({"params": {"kernel": k}}, x)
    up = nn.ConvTranspose(channels, (4, 4), (2, 2), use_bias=False).apply({"params": {"kernel": k_up}}, y)
    same = nn.Conv(out, (3, 3), use_bias=False).apply({"params": {"kernel": k[1:, :3]}}, x)
    assert relative(form.down(x, k), down) < 2e-6 and relative(form.up(y, k_up), up) < 2e-6
    assert relative(form.same(x, k[1:, :3]), same) < 2e-6


def test_winograd_is_accurate_with_many_channels():
    # Kills: transforms with larger coefficients, which lose digits (F(4x4, 2x2) and up).
    rng = np.random.default_rng(0)
    x, k = rng.normal(size=(2, 4, 4, 256)), rng.normal(size=(4, 4, 256, 32))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (1, 2))[:, ::2, ::2]
    exact = np.einsum("bhwcij,ijco->bhwo", windows, k, optimize=True)
    assert relative(jax.jit(MATMUL.down)(jnp.float32(x), jnp.float32(k)), exact) < 3e-6


@pytest.mark.parametrize("case", ["few channels", "winograd"])
def test_scan_agrees_with_a_loop_of_lax(case):
    # Kills: a residual or shape that depends on the trace around it.
    x, _, k, _ = example(case)

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
    x, _, k, _ = example(case)
    assert str(jax.make_jaxpr(MATMUL.down)(x, k)).count("dot_general[") == CASES[case][-1]


def test_forward_mode_is_there_for_lax_only():
    # Kills: a docstring that no longer tells the truth.
    x, y, k, k_up = example("winograd")
    for name, a, kernel in (("down", x, k), ("up", y, k_up)):
        there, missing = getattr(LAX, name), getattr(MATMUL, name)
        _, tangent = jax.jvp(lambda a, f=there, k=kernel: f(a, k), (a,), (a + 1,))
        assert relative(tangent, there(a + 1, kernel)) < 1e-6
        with pytest.raises(TypeError, match="forward-mode"):
            jax.jvp(lambda a, f=missing, k=kernel: f(a, k), (a,), (a,))


def test_the_switch_follows_the_backend(monkeypatch):
    # Kills: the two forms exchanged.
    for backend, form in (("cpu", MATMUL), ("gpu", LAX), ("tpu", LAX)):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert convolutions() is form


@pytest.mark.parametrize("form", [MATMUL, LAX], ids=["matmul", "lax"])
def test_odd_sides_are_refused(form):
    # Kills: XLA's silent loss of the last row.
    with pytest.raises(BadRequest, match="7x8.*pad"):
        form.down(jnp.zeros((1, 7, 8, 3)), jnp.zeros((4, 4, 3, 2)))
