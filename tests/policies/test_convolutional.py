"""The convolutional network of Fig. 3 against torch.nn, and its derivative against autograd."""

import numpy as np
import pytest
import torch
from torch import nn

from trpo_repro.policies.convolutional import ConvNet
from trpo_repro.policies.convolutions import Convolutions, layer_sizes
from trpo_repro.policies.policy import LinearisedPolicy, Policy
from trpo_repro.types import ActionSpace

ATARI = Convolutions(image=(4, 52, 40), channels=(16, 16), kernel_size=4, stride=2)
SMALL = Convolutions(image=(2, 12, 10), channels=(3, 4), kernel_size=4, stride=2)
JOYSTICK = ActionSpace("discrete", (3, 3, 2))


def some_inputs(convolutions, count):
    size = int(np.prod(convolutions.image))
    return torch.randint(
        0, 256, (count, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def some_theta(network, dtype=torch.float32):
    return network.initial_parameters(np.random.default_rng(0), output_gain=1.0).to(dtype)


def as_module(network, theta):
    """Build the same network of torch.nn layers, filled in order from θ."""
    modules = []
    for shape in network.shapes:
        dense = len(shape) == 2
        modules += [nn.Linear(shape[1], shape[0]) if dense else nn.Conv2d(*shape[1::-1], 4, 2)]
        modules += [nn.ReLU()]
    modules.insert(4, nn.Flatten())
    module = nn.Sequential(*modules[:-1])
    nn.utils.vector_to_parameters(theta, module.parameters())
    return module


def plainly(network, theta, inputs):
    """Return the outputs as a function of θ that autograd alone differentiates."""
    outputs = inputs.view(-1, *network.convolutions.image).to(theta.dtype) / 255
    for layer, shape in enumerate(network.shapes):
        weights, bias, theta = theta.split(
            [int(np.prod(shape)), shape[0], len(theta) - int(np.prod(shape)) - shape[0]]
        )
        outputs = outputs.relu() if layer else outputs
        if len(shape) == 4:
            outputs = nn.functional.conv2d(outputs, weights.view(shape), bias, stride=2)
        else:
            outputs = nn.functional.linear(outputs.flatten(1), weights.view(shape), bias)
    return outputs


def test_the_paper_s_network_has_33500_parameters():
    network = ConvNet(ATARI, (20,), outputs=8)
    assert ATARI.images() == [(4, 52, 40), (16, 25, 19), (16, 11, 8)]
    assert layer_sizes(network.shapes) == [1040, 4112, 28180, 168]
    assert network.parameter_count == 33_500
    module = as_module(network, some_theta(network))
    assert sum(p.numel() for p in module.parameters()) == 33_500
    policy = Policy(4 * 52 * 40, JOYSTICK, hidden_sizes=(20,), convolutions=ATARI)
    assert policy.parameter_count == 33_500
    assert len(policy.initial_parameters(np.random.default_rng(0))) == 33_500


def test_forward_is_that_of_torch_layers_on_pixels_from_0_to_1():
    network, inputs = ConvNet(ATARI, (20,), outputs=8), some_inputs(ATARI, 20)
    theta = some_theta(network)
    expected = as_module(network, theta)(inputs.view(-1, 4, 52, 40) / 255).detach()
    torch.testing.assert_close(network.forward(theta, inputs), expected)
    torch.testing.assert_close(network.forward(theta, inputs.float()), expected)
    torch.testing.assert_close(network.function(theta.numpy())(inputs.numpy()), expected.numpy())


def test_each_row_may_follow_a_theta_of_its_own():
    network, inputs = ConvNet(SMALL, (5,), outputs=3), some_inputs(SMALL, 4).numpy()
    thetas = np.stack([scale * some_theta(network).numpy() for scale in (1, 2, 3, 4)])
    found = network.function(thetas)(inputs)
    for row in range(4):
        expected = network.function(thetas[row])(inputs[row : row + 1])[0]
        np.testing.assert_array_equal(found[row], expected)


@pytest.mark.parametrize("hidden", [(), (5,), (6, 5)])
def test_both_products_are_those_of_the_dense_jacobian(hidden):
    network, inputs = ConvNet(SMALL, hidden, outputs=3), some_inputs(SMALL, 7)
    theta = some_theta(network, torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda t: plainly(network, t, inputs), theta)
    linearised = network.linearise(theta, inputs)
    torch.testing.assert_close(linearised.outputs, network.forward(theta, inputs))
    generator = torch.Generator().manual_seed(2)
    vector = torch.randn(network.parameter_count, generator=generator, dtype=torch.float64)
    outputs = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    for _ in range(2):  # a product leaves nothing behind
        torch.testing.assert_close(linearised.product(vector), jacobian @ vector)
        expected = torch.einsum("nop,no->p", jacobian, outputs)
        torch.testing.assert_close(linearised.transposed_product(outputs), expected)


def test_products_of_the_paper_s_network_agree_with_autograd():
    network, inputs = ConvNet(ATARI, (20,), outputs=8), some_inputs(ATARI, 3)
    theta = some_theta(network)
    linearised = network.linearise(theta, inputs)
    generator = torch.Generator().manual_seed(2)
    vector = torch.randn(33_500, generator=generator)
    outputs = torch.randn(3, 8, generator=generator)
    leaf = theta.clone().requires_grad_()
    (transposed,) = torch.autograd.grad(plainly(network, leaf, inputs), leaf, outputs)
    (own,) = torch.autograd.grad(network.forward(leaf, inputs), leaf, outputs)
    torch.testing.assert_close(own, transposed, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        linearised.transposed_product(outputs), transposed, rtol=1e-4, atol=1e-4
    )
    # ⟨w, J v⟩ = ⟨Jᵀ w, v⟩
    forward = float((outputs * linearised.product(vector)).sum())
    assert forward == pytest.approx(float(transposed @ vector), rel=1e-3, abs=1e-2)


def test_outputs_that_are_differentiated_are_the_same_bits_and_only_once():
    # The ratio π_θ/π_old at θ_old is exactly 1 because of that.
    network, inputs = ConvNet(ATARI, (20,), outputs=8), some_inputs(ATARI, 9)
    theta = some_theta(network)
    leaf = theta.clone().requires_grad_()
    outputs = network.forward(leaf, inputs)
    assert torch.equal(outputs, network.forward(theta, inputs))
    np.testing.assert_array_equal(
        outputs.detach().numpy(), network.function(theta.numpy())(inputs.numpy())
    )
    (gradient,) = torch.autograd.grad(outputs.sum(), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(gradient.sum(), leaf)


def test_a_policy_of_pixels_acts_and_linearises_as_one_of_numbers_does():
    policy = Policy(240, JOYSTICK, hidden_sizes=(5,), convolutions=SMALL)
    theta, inputs = policy.initial_parameters(np.random.default_rng(0)), some_inputs(SMALL, 9)
    mu = policy.mu(theta, inputs)
    assert mu.shape == (9, 8)
    assert mu.abs().max() < 0.2  # hardly any preference at first
    noise = policy.distribution.noise(np.random.default_rng(1), (9,))
    actions = policy.actor(theta.numpy())(inputs.numpy(), noise)
    expected = policy.distribution.sample(mu, torch.from_numpy(noise))
    np.testing.assert_array_equal(actions, expected.numpy())
    torch.testing.assert_close(LinearisedPolicy(policy, theta, observations=inputs).mu, mu)


def test_initial_weights_have_variance_two_over_inputs_and_zero_biases():
    network = ConvNet(ATARI, (20,), outputs=8)
    theta = network.initial_parameters(np.random.default_rng(0), output_gain=0.01)
    layers = network.layers(theta)
    assert not any(bias.any() for _, bias in layers)
    assert layers[1][0].std().item() == pytest.approx(np.sqrt(2 / 256), rel=0.05)
    assert layers[2][0].std().item() == pytest.approx(np.sqrt(2 / 1408), rel=0.03)
    assert layers[3][0].std().item() == pytest.approx(0.01 / np.sqrt(20), rel=0.2)
