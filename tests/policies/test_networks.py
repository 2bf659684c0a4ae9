"""The flat-vector network against torch.nn."""

import numpy as np
import pytest
import torch
from torch import nn

from trpo_repro.policies.networks import Mlp, tanh


def as_module(network, theta):
    """Build the same network of torch.nn layers from the pieces of θ."""
    modules = []
    offset = 0
    for rows, columns in network.shapes:
        layer = nn.Linear(rows, columns)
        weights = theta[offset : offset + rows * columns].reshape(rows, columns)
        bias = theta[offset + rows * columns : offset + rows * columns + columns]
        layer.weight.data, layer.bias.data = weights.T.contiguous(), bias.clone()
        offset += rows * columns + columns
        modules += [layer, nn.Tanh()]
    assert offset == len(theta)
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize("hidden", [(), (30,), (50, 50)])
def test_forward_is_that_of_torch_layers_with_the_same_weights(hidden):
    network = Mlp(9, hidden, outputs=2)
    theta = torch.randn(network.parameter_count, generator=torch.Generator().manual_seed(0))
    inputs = torch.randn(20, 9, generator=torch.Generator().manual_seed(1))
    expected = as_module(network, theta)(inputs).detach()
    # float32 sums of at most 50 terms in another order
    torch.testing.assert_close(network.forward(theta, inputs), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("hidden", [(), (30,), (50, 50)])
def test_parameter_count_is_that_of_torch_layers(hidden):
    network = Mlp(9, hidden, outputs=2)
    module = as_module(network, torch.zeros(network.parameter_count))
    assert network.parameter_count == sum(p.numel() for p in module.parameters())


def test_initial_weights_have_variance_one_over_inputs_and_zero_biases():
    network = Mlp(100, (200,), outputs=50)
    theta = network.initial_parameters(np.random.default_rng(0), output_gain=0.01)
    (first, first_bias), (last, last_bias) = network.layers(theta)
    assert theta.dtype == torch.float32
    assert not first_bias.any()
    assert not last_bias.any()
    # The standard deviation of 10,000 or more normal numbers is known to 0.7%.
    assert first.std().item() == pytest.approx(1 / np.sqrt(100), rel=0.03)
    assert last.std().item() == pytest.approx(0.01 / np.sqrt(200), rel=0.03)


def test_tanh_and_its_first_two_derivatives_are_those_of_torch():
    inputs = torch.linspace(-9, 9, 301, dtype=torch.float64, requires_grad=True)

    def thrice(function):
        value = function(inputs)
        (first,) = torch.autograd.grad(value.sum(), inputs, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), inputs)
        return value, first, second

    for found, expected in zip(thrice(tanh), thrice(torch.tanh), strict=True):
        torch.testing.assert_close(found, expected)
