"""Random streams found by name."""

import numpy as np

from trpo_repro.seeding import stream


def numbers(seed, *path):
    return stream(seed, *path).random(1000)


def test_the_same_name_gives_the_same_numbers():
    np.testing.assert_array_equal(numbers(3, 7, "noise", 2), numbers(3, 7, "noise", 2))


def test_streams_of_other_names_or_seeds_are_uncorrelated():
    streams = [
        numbers(3, 7, "noise", 2),
        numbers(4, 7, "noise", 2),
        numbers(3, 8, "noise", 2),
        numbers(3, 7, "reset", 2),
        numbers(3, 7, "noise", 3),
        numbers(3, 2, "noise", 7),
    ]
    correlations = np.corrcoef(streams) - np.eye(len(streams))
    assert np.abs(correlations).max() < 5 / np.sqrt(1000)  # five standard deviations
