"""Measurements against what they are known to give in small."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ale_py import Action, ALEInterface
from found_claims import found
from stored_runs import outcome

from trpo_repro.cli.compose import run_config
from trpo_repro.measurements import variance as variance_module
from trpo_repro.measurements.chance import chance
from trpo_repro.measurements.products import double_backward, products
from trpo_repro.measurements.row import ratio_row
from trpo_repro.measurements.standing import standing
from trpo_repro.measurements.variance import variance
from trpo_repro.optim.fisher import FisherProduct, analytic_metric
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.runner.build import build_sampler
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.vine import VineSampler
from trpo_repro.seeding import Streams, stream
from trpo_repro.tasks import make_task
from trpo_repro.tasks.atari import cartridge
from trpo_repro.types import ActionSpace


def cartpole():
    sampler = build_sampler(run_config(["task=cartpole", "threads=1"]))
    sampler = dataclasses.replace(sampler, keep_states=True)
    theta = sampler.policy.initial_parameters(stream(0, "theta")).numpy()
    return sampler, theta, Normaliser.identity(sampler.simulator.observation_size)


def test_double_backward_is_the_analytic_product():
    policy = Policy(4, ActionSpace("continuous", (2,)), hidden_sizes=(6,), initial_std=1.0)
    theta = policy.initial_parameters(np.random.default_rng(0))
    observations, vector = torch.randn(40, 4), torch.randn(policy.parameter_count).double()
    analytic = FisherProduct(
        policy,
        theta,
        observations=observations,
        metric=analytic_metric(policy),
        damping=0.0,
        workers=Workers(1),
    )(vector)
    exact = double_backward(
        policy, theta.double(), observations=observations.double(), vector=vector
    )
    torch.testing.assert_close(analytic, exact, rtol=1e-4, atol=1e-6)


def test_products_are_timed_in_rounds_and_their_value_is_right():
    gradient, twice, error = products(200, 3)
    assert (gradient.task, twice.task) == ("200 states", "20 states")
    assert 0 < gradient.low <= gradient.value <= gradient.high
    assert error.value < 1e-5


def test_a_hopper_that_stands_scores_one():
    simulator = make_task("hopper", horizon=1000, timestep=0.004, integrator="implicitfast")
    row = standing("hopper", simulator, episodes=3)
    assert row.value == pytest.approx(1.0, abs=1e-3)
    assert row.n == "3 of 3 stood"


def test_chance_plays_as_a_plain_loop_over_the_emulator_does():
    rom = cartridge("breakout")
    row = chance("breakout", rom, episodes=3, no_ops=5, frames=400)
    assert row.n == "3 games"
    game, rng = ALEInterface(), stream(0, "chance", "breakout")
    game.setFloat("repeat_action_probability", 0.0)
    scores = []
    for _ in range(3):
        game.setInt("random_seed", 1)
        game.loadROM(rom)
        for _ in range(rng.integers(5, endpoint=True)):
            game.act(Action.NOOP)
        # The game's own four: at rest, fire, right, left.
        actions, score = rng.choice([0, 1, 3, 4], 400), 0.0
        for action in actions:
            if not game.game_over():
                score += game.act(Action(action))
        scores.append(score)
    assert row.value == pytest.approx(np.mean(scores))
    assert len(set(scores)) > 1


@pytest.mark.parametrize("shared", [True, False])
def test_q_values_are_those_of_the_vine_s_sampler(shared, monkeypatch):
    monkeypatch.setattr(variance_module, "LENGTH", 12)
    sampler, theta, normaliser = cartpole()
    streams = Streams(3, ("test",))
    trunk = sampler.episodes(theta, normaliser, streams=streams, count=3)
    states = trunk.states[:20]
    branches = VineSampler(
        sampler.simulator,
        sampler.policy,
        Workers(1),
        rollouts_per_state=variance_module.ACTIONS,
        rollout_length=12,
        discount=variance_module.DISCOUNT,
        proposal="policy",
        common_random_numbers=shared,
    )
    wanted = branches.rollouts(theta, normaliser, streams=streams, states=states)
    rng, act = streams("branch", 0), sampler.policy.actor(theta)
    actions = variance_module._first_actions(
        sampler, act, normaliser=normaliser, states=states, rng=rng
    )
    found = variance_module._q_values(
        sampler, act, normaliser=normaliser, states=states, actions=actions, rng=rng, shared=shared
    )
    np.testing.assert_allclose(found, wanted.q_values, rtol=1e-12)


def test_common_random_numbers_lower_the_variance_on_cart_pole(monkeypatch):
    monkeypatch.setattr(variance_module, "STATES", 20)
    monkeypatch.setattr(variance_module, "TRUNK", 400)
    sampler, theta, normaliser = cartpole()
    arrays = {"theta": theta, **normaliser.arrays()}
    against_single, against_own = variance("cartpole", sampler, arrays=arrays)
    assert 0 < against_own.value < 1
    # Four independent Q, each less the mean of three others, have 1 + 1/3 of the variance of one.
    assert against_single.value == pytest.approx(4 / 3 * against_own.value, rel=0.1)
    assert variance("cartpole", sampler, arrays=arrays) == [against_single, against_own]


def test_the_advantage_of_an_action_is_right_on_average_over_the_others():
    # V = 1, the first action's Q is 3, and whatever else: A = 2.
    q_values = np.random.default_rng(0).normal(1.0, 1.0, (20000, variance_module.ACTIONS))
    q_values[:, 0] = 3.0
    assert variance_module._advantages(q_values)[:, 0].mean() == pytest.approx(2.0, abs=0.02)


def test_a_ratio_of_means_has_an_interval_over_the_pairs():
    above, below = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    row = ratio_row("a ratio", "of pairs", above=above, below=below, unit="pairs")
    assert (row.value, row.low, row.high, row.n) == (0.5, 0.5, 0.5, "3 pairs")


def test_a_measurement_at_a_trained_policy_is_of_that_run(tmp_path, monkeypatch, capsys):
    small = {"TRUNK": 2000, "STATES": 20, "REPEATS": 3, "LENGTH": 3}
    for name, value in small.items():
        monkeypatch.setattr(variance_module, name, value)
    folder = f"results_dir={tmp_path}"
    assert outcome("run", "iterations=2", "scale=bench", "threads=1", folder, capsys=capsys)[0] == 0
    code, _, _ = outcome("measure", "variance", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    content = json.loads((tmp_path / "measurements" / "variance.json").read_text())
    (policy,) = tmp_path.rglob("policy.safetensors")
    run = policy.parent.relative_to(tmp_path).as_posix()
    runs = {row["task"]: row["run"] for row in content["rows"]}
    assert runs == {
        "cartpole, untrained policy": "",
        "cartpole, trained policy": run,
        "hopper, untrained policy": "",
    }
    counts = found(tmp_path, "C10").counts
    assert [count.runs for count in counts] == [(), (run,), ()]
    # Once the run holds another policy, nothing of the measurement is taken for one of it.
    policy.write_bytes(policy.read_bytes()[:-1] + b"x")
    assert [count.name for count in found(tmp_path, "C10").counts] == [
        "trpo-repro measure variance"
    ]
    _, _, err = outcome("claims", "--results-dir", str(tmp_path), capsys=capsys)
    assert f"it is not of the policy that {run} holds" in err


def test_the_command_writes_what_the_ledger_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code, out, _ = outcome("measure", "parameters", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    assert "parameters: atari, parameters: 3.35e+04" in out
    content = json.loads((tmp_path / "measurements" / "parameters.json").read_text())
    counts = {row["task"]: row["value"] for row in content["rows"]}
    assert (counts["swimmer"], counts["atari"]) == (364, 33500)
    outcome("claims", "--results-dir", str(tmp_path), capsys=capsys)
    ledger = (tmp_path / "tables" / "claims.md").read_text()
    assert "364 parameters; Atari policy 33500 (App E) | holds |" in ledger
    code, _, err = outcome("measure", "nonsense", capsys=capsys)
    assert (code, err.split("'")[1]) == (2, "nonsense")
