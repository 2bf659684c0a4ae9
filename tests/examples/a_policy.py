"""A stored policy in a program of one's own: Hopper-v5 as Gymnasium itself plays it."""

import gymnasium

from trpo_repro.runner.evaluation import stored_actor

RUN = "results/gym_v5/runs/gym-Hopper-v5/single_path/9bd8322e32/seed0"

act = stored_actor(RUN, greedy=True)
environment = gymnasium.make("Hopper-v5")
observation, _ = environment.reset(seed=0)
total, ended = 0.0, False
while not ended:
    # A batch of one: observations are (n, D) and actions (n, 3).
    action = act(observation[None])[0]
    box = environment.action_space
    observation, reward, terminated, truncated, _ = environment.step(action.clip(box.low, box.high))
    total, ended = total + reward, terminated or truncated
assert total > 500, "what is stored of this run hops"
