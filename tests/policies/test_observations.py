"""Screens stored once against whole stacks."""

import torch

from trpo_repro.policies.observations import FrameStacks


def some_stacks():
    """Return stacks of three over episodes of 2, 5 and 1 screens of two pixels, and as a tensor."""
    lengths = [2, 5, 1]
    screens = torch.arange(16, dtype=torch.uint8).view(8, 2)
    first = torch.repeat_interleave(torch.tensor([0, 2, 7]), torch.tensor(lengths))
    whole = []
    for start, length in zip((0, 2, 7), lengths, strict=True):
        history = [screens[start]] * 3
        for row in range(start, start + length):
            history = [*history[1:], screens[row]]
            whole.append(torch.cat(history))
    return FrameStacks(screens, first, stack=3), torch.stack(whole)


def test_rows_are_those_of_the_whole_tensor():
    stacks, whole = some_stacks()
    assert len(stacks) == len(whole) == 8
    for rows in (slice(0, 8), slice(3, 6), slice(7, 8), torch.tensor([6, 0, 3])):
        assert stacks[rows].dtype == torch.uint8
        assert torch.equal(stacks[rows], whole[rows])
    assert torch.equal(stacks.to("cpu")[:], whole)
