"""Row `estimators` in PyTorch: the same estimators on as many copies of the parameters as gradients are wanted.

That is faster here than `torch.func.vmap`. The noise is drawn outside of what is compiled, which is faster too.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import peers_torch
from benchmarks.estimators import CENTRE, DIM, moments, parameters
from benchmarks.worker import Work


def eager(**size) -> Work:
    """As it comes."""
    return _played(lambda function: function, **size)


def compiled(**size) -> Work:
    """Through torch.compile."""
    return _played(torch.compile, **size)


def pathwise(mean: torch.Tensor, log_std: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """f at pushed noise, [K, N]; mean and log_std [N, DIM], noise [K, N, DIM]."""
    return ((mean + torch.exp(log_std) * noise - CENTRE) ** 2).sum(-1)


def score(mean: torch.Tensor, log_std: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """f, [K, N], whose gradient is the leave-one-out score function's."""
    z = (mean + torch.exp(log_std) * noise).detach()
    cost = ((z - CENTRE) ** 2).sum(-1)
    others = (cost.sum(0, keepdim=True) - cost) / (len(cost) - 1)
    log_prob = (-0.5 * (((z - mean) * torch.exp(-log_std)) ** 2 + math.log(2 * math.pi)) - log_std).sum(-1)
    return cost + (cost - others) * (log_prob - log_prob.detach())


COSTS = {"PATHWISE": pathwise, "SCORE": score}


def _played(wrap: Callable, *, estimator: str, draws: int, together: int, repeats: int) -> Work:
    cost, gradients = COSTS[estimator], draws // together
    theta = [torch.from_numpy(p).expand(gradients, DIM) for p in parameters()]
    # A mean over all draws of one gradient; over copies a sum, so that each has its own.
    value = wrap(lambda mean, log_std, noise: cost(mean, log_std, noise).mean(0).sum())

    def step(noise):
        own = [p.detach().requires_grad_() for p in theta]
        return torch.autograd.grad(value(*own, noise), own)

    def fresh():
        return torch.randn(together, gradients, DIM)

    def block() -> float:
        began = time.perf_counter()
        for _ in range(repeats):
            step(fresh())
        return time.perf_counter() - began

    def losses(path: Path) -> list[float]:
        noise = torch.from_numpy(np.load(path)["noise"])[:, :, 0].transpose(0, 1)
        return moments(np.concatenate(step(noise.contiguous()), -1))

    return Work(block, peers_torch.facts(lambda: step(fresh())) | {"replays": True}, losses)
