"""Updates keep to their device: a stand-in for a GPU, which no machine that tests has.

It shows tensors that meet another device's or NumPy, and how the code asks for devices; not what a
GPU computes.
"""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from trpo_repro.optim.kl_penalty import KlPenalty
from trpo_repro.optim.max_kl import MaxKl
from trpo_repro.optim.natural_gradient import NaturalGradient
from trpo_repro.optim.policy_gradient import PolicyGradient
from trpo_repro.optim.step import NaturalDirection, Outcome
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.optim.trust_region import TrustRegion
from trpo_repro.optim.vine_surrogate import VineBatch, VineSurrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

CUDA = torch.device("cuda")
DIRECTION = NaturalDirection(5, 1e-3, 0.5)
RULES = [
    TrustRegion(0.01, DIRECTION, 0.8, 20),
    TrustRegion(0.01, NaturalDirection(5, 1e-3, 0.5, empirical=True), 0.8, 20),
    NaturalGradient(0.01, DIRECTION),
    PolicyGradient(1e-4),
    KlPenalty(0.01, 2.0, 0.1, 20),
]
SPACES = {"reals": ActionSpace("continuous", (2,)), "categories": ActionSpace("discrete", (3, 2))}


class Elsewhere(Tensor):
    """A tensor that passes for one on a GPU."""


class Gpu(TorchFunctionMode):
    """Moves tensors to the GPU and back; refuses to mix them, as torch does."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        here = args[0] if args else None
        if func == Tensor.device.__get__ and isinstance(here, Elsewhere):
            return CUDA
        if func == Tensor.is_cuda.__get__:
            return isinstance(here, Elsewhere)
        if func == Tensor.cpu:
            return here.as_subclass(Tensor)
        if func == Tensor.to and args[1] in ("cuda", CUDA):
            return here.as_subclass(Elsewhere)
        if func in (Tensor.numpy, Tensor.__array__) and isinstance(here, Elsewhere):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if len({type(tensor) for tensor in tensors if tensor.dim()}) > 1:
            raise RuntimeError("Expected all tensors to be on the same device")
        if kwargs.get("device") == CUDA:
            del kwargs["device"]
            return func(*args, **kwargs).as_subclass(Elsewhere)
        return func(*args, **kwargs)


def surrogate(device, *, space="reals", hidden=(5,), vine=False):
    policy = Policy(3, SPACES[space], hidden_sizes=hidden, initial_std=0.8)
    rng = torch.Generator().manual_seed(0)
    theta = 0.5 * torch.randn(policy.parameter_count, generator=rng)
    observations = torch.randn(40, 3, generator=rng)
    noise = policy.distribution.noise(np.random.default_rng(0), (160,))
    four = policy.actor(theta.numpy())(np.repeat(observations.numpy(), 4, axis=0), noise)
    actions, values = torch.from_numpy(four).view(40, 4, -1), torch.randn(40, 4, generator=rng)
    if vine:
        batch = VineBatch(observations, actions, values, torch.zeros(40, 4), exhaustive=False)
        return VineSurrogate(policy, theta.to(device), batch=batch.to(device), workers=Workers(1))
    batch = Batch(observations, actions[:, 0], values[:, 0].contiguous())
    return SinglePathSurrogate(policy, theta.to(device), batch=batch.to(device), workers=Workers(1))


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        *itertools.product(RULES, ({}, {"space": "categories"})),
        (RULES[0], {"vine": True}),
        (MaxKl(0.01, 100), {"hidden": ()}),
    ],
)
def test_an_update_on_a_gpu_is_that_on_the_cpu(rule, problem):
    here = surrogate("cpu", **problem)
    expected = rule.step(here, np.random.default_rng(0))
    with Gpu():
        there = surrogate("cuda", **problem)
        found = rule.step(there, np.random.default_rng(0))
        assert isinstance(found.theta, Elsewhere)
        theta, entropy = found.theta.cpu().numpy(), there.entropy()
    assert expected.outcome == found.outcome == Outcome.ACCEPTED
    np.testing.assert_allclose(theta, expected.theta.numpy(), atol=1e-4)  # tanh is another
    assert entropy == pytest.approx(here.entropy(), rel=1e-5)
