"""Whether a policy network can be made at all, told before anything is."""

from __future__ import annotations

from trpo_repro.config import LARGEST, RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.policies.convolutions import Convolutions
from trpo_repro.settings import CemConfig, CmaConfig, PixelPolicyConfig
from trpo_repro.tasks.atari_screen import IMAGE


def convolutions(policy: PixelPolicyConfig) -> Convolutions:
    """Return the convolutions of a policy that sees the games' screens.

    Raises:
        ConfigError: A filter does not fit into the image.
    """
    return Convolutions(IMAGE, policy.channels, policy.kernel_size, policy.stride)


def check_parameters(config: RunConfig, count: int) -> None:
    """Refuse a policy of so many parameters that what learns it would not fit into memory.

    Args:
        config: What learns it: a search keeps a whole population of them, and CMA-ES their
            covariances.
        count: Its parameters.

    Raises:
        ConfigError: There are more numbers than `LARGEST`.
    """
    algo = config.algo
    kept = [(f"the policy's {count:,} parameters", count, "choose smaller layers in policy.…")]
    if isinstance(algo, (CemConfig, CmaConfig)):
        what = f"{algo.population:,} policies of {count:,} parameters"
        kept.append((what, algo.population * count, "choose a smaller algo.population"))
    if isinstance(algo, CmaConfig) and not algo.diagonal:
        kept.append(
            (f"the covariances of {count:,} parameters", count**2, "use algo.diagonal=true")
        )
    for what, numbers, fix in kept:
        if numbers > LARGEST:
            gigabytes = f"{8e-9 * numbers:,.1f} GB, at most {8e-9 * LARGEST:.1f} are allowed"
            raise ConfigError(f"{what} take {gigabytes}", fix=fix)
