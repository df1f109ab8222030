"""The convolutional nets of `jaxgen.nets` in PyTorch: plain 4x4 convolutions of stride 2, channels last."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from benchmarks import peers_torch
from benchmarks.conv import SHAPE

Layers = dict[str, torch.nn.Module]


def critic(name: str, width: int, out: int) -> Layers:
    """Three convolutions and a linear layer, by the names of an `Encoder` or `Critic` called `name` on our side."""
    base, channels = width // 8, (SHAPE[-1], *(width // 8 * 2**i for i in range(3)))
    layers: Layers = {}
    for i in range(3):
        layers[f"{name}/trunk/Down_{i}"] = torch.nn.Conv2d(channels[i], channels[i + 1], 4, 2, 1)
    return _channels_last({**layers, f"{name}/head": torch.nn.Linear(16 * 4 * base, out)})


def generator(name: str, width: int, latent: int) -> Layers:
    """A linear layer and three transposed convolutions, by the names of an `ImageGenerator` called `name`."""
    base, channels = width // 8, (*(width // 8 * 2**i for i in (2, 1, 0)), SHAPE[-1])
    layers: Layers = {f"{name}/Dense_0": torch.nn.Linear(latent, 16 * 4 * base)}
    for i in range(3):
        layers[f"{name}/Up_{i}"] = torch.nn.ConvTranspose2d(channels[i], channels[i + 1], 4, 2, 1)
    return _channels_last(layers)


def _channels_last(layers: Layers) -> Layers:
    return {name: layer.to(memory_format=torch.channels_last) for name, layer in layers.items()}


def leaky(x: torch.Tensor) -> torch.Tensor:
    """The activation of the nets."""
    return F.leaky_relu(x, 0.2)


def judged(
    layers: Sequence[torch.nn.Module], x: torch.Tensor, *, frozen: bool = False, activation: Callable = leaky
) -> torch.Tensor:
    """x[B, H, W, C] in [0, 1] -> [B, out]."""
    y = (2 * x - 1).permute(0, 3, 1, 2)
    for layer in layers[:-1]:
        y = activation(F.conv2d(y, *peers_torch.weights(layer, frozen), stride=2, padding=1))
    return F.linear(y.permute(0, 2, 3, 1).flatten(1), *peers_torch.weights(layers[-1], frozen))


def generated(layers: Sequence[torch.nn.Module], z: torch.Tensor) -> torch.Tensor:
    """z[B, D] -> logits [B, H, W, C]."""
    y = layers[0](z).view(len(z), 4, 4, -1).permute(0, 3, 1, 2)
    for layer in layers[1:]:
        y = layer(leaky(y))
    return y.permute(0, 2, 3, 1)
