from __future__ import annotations

import builtins
import json
import os
import pickle
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from trpo_repro.errors import CheckpointError
from trpo_repro.runner import checkpoint as checkpoint_module
from trpo_repro.runner import run_folder
from trpo_repro.runner.checkpoint import (
    Checkpoint,
    load_arrays,
    newest_checkpoint,
    save_checkpoint,
)
from trpo_repro.runner.run_folder import read_json, write_json

IDENTITY = "0123456789"
SEED = 3


def numbered(iterations: int) -> Checkpoint:
    """Return a checkpoint whose arrays tell its number."""
    arrays = {
        "theta": np.arange(6, dtype=np.float32) * iterations,
        "baseline": np.full((2, 3), iterations / 3),
        "expected_length": np.array(float(iterations)),
        "none": np.zeros(0),
    }
    return Checkpoint(iterations, 1000 * iterations, 1.5 * iterations, arrays)


def write(folder: Path, *numbers: int) -> None:
    for number in numbers:
        save_checkpoint(folder, numbered(number), identity=IDENTITY, seed=SEED)


def read(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    return newest_checkpoint(folder, identity=IDENTITY, seed=SEED)


def same(one: Checkpoint | None, other: Checkpoint) -> bool:
    return (
        one is not None
        and (one.iterations, one.sim_steps, one.wall_s)
        == (other.iterations, other.sim_steps, other.wall_s)
        and one.arrays.keys() == other.arrays.keys()
        and all(
            one.arrays[k].dtype == v.dtype and np.array_equal(one.arrays[k], v)
            for k, v in other.arrays.items()
        )
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def both(number: int) -> set[str]:
    return {f"{number:08d}.json", f"{number:08d}.safetensors"}


def test_checkpoint_reads_back_exactly_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, 3)
    found, warnings = read(tmp_path)
    assert same(found, numbered(3))
    assert warnings == []


def test_arrays_that_were_read_can_be_written_to(tmp_path: Path) -> None:
    write(tmp_path, 3)
    found, _ = read(tmp_path)
    assert found is not None
    found.arrays["theta"] += 1  # torch warns of arrays that it must not write to


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path) == (None, [])


def test_newest_two_are_kept(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 9, 10)
    assert names(tmp_path) == both(9) | both(10)
    assert same(read(tmp_path)[0], numbered(10))


def test_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(tmp_path / "a", 4)
    write(tmp_path / "b", 4)
    for name in both(4):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def assert_older_one_is_used(folder: Path) -> None:
    """The checkpoints are 1 and 2, and 2 is damaged."""
    found, warnings = read(folder)
    assert same(found, numbered(1))
    assert len(warnings) == 1
    assert "00000002.json is damaged" in warnings[0]
    corrupt = {name for name in names(folder) if name.endswith(".corrupt")}
    assert "00000002.json.corrupt" in corrupt
    assert names(folder) - corrupt == both(1)


@pytest.mark.parametrize("kind", ["json", "safetensors"])
def test_file_truncated_at_any_length_is_passed_over(kind: str, tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for length in range(0, len(contents[f"00000002.{kind}"]), 3):
        restore(tmp_path, contents)
        os.truncate(tmp_path / f"00000002.{kind}", length)
        if kind == "json" and length == len(contents["00000002.json"]) - 1:
            continue  # only the last newline is gone
        assert_older_one_is_used(tmp_path)


def restore(folder: Path, contents: dict[str, bytes]) -> None:
    for path in folder.iterdir():
        path.unlink()
    for name, content in contents.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("kind", ["json", "safetensors"])
def test_any_flipped_bit_is_noticed(kind: str, tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    rng = random.Random(2)
    for _ in range(300):
        restore(tmp_path, contents)
        damaged = bytearray(contents[f"00000002.{kind}"])
        position = rng.randrange(len(damaged) - 1)  # the manifest's last newline says nothing
        damaged[position] ^= 1 << rng.randrange(8)
        (tmp_path / f"00000002.{kind}").write_bytes(damaged)
        assert_older_one_is_used(tmp_path)


@pytest.mark.parametrize("kind", ["json", "safetensors"])
def test_file_of_random_bytes_is_passed_over(kind: str, tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    (tmp_path / f"00000002.{kind}").write_bytes(random.Random(3).randbytes(500))
    assert_older_one_is_used(tmp_path)


def test_missing_arrays_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    (tmp_path / "00000002.safetensors").unlink()
    assert_older_one_is_used(tmp_path)


def test_folder_in_place_of_the_arrays_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    (tmp_path / "00000002.safetensors").unlink()
    (tmp_path / "00000002.safetensors").mkdir()
    assert_older_one_is_used(tmp_path)


def test_checkpoint_under_another_number_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1)
    for name in both(1):
        (tmp_path / name.replace("1", "2")).write_bytes((tmp_path / name).read_bytes())
    assert_older_one_is_used(tmp_path)


def test_training_can_go_on_after_a_damaged_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    os.truncate(tmp_path / "00000002.safetensors", 10)
    read(tmp_path)
    write(tmp_path, 2, 3)
    assert same(read(tmp_path)[0], numbered(3))


def test_nothing_but_damaged_checkpoints_is_an_error_now_and_later(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    for number in (1, 2):
        os.truncate(tmp_path / f"{number:08d}.safetensors", 10)
    for _ in range(2):  # the second time there are only `.corrupt` files
        with pytest.raises(CheckpointError, match="--restart") as caught:
            read(tmp_path)
        assert caught.value.exit_code == 3
    assert len(names(tmp_path)) == 4


def test_checkpoint_of_another_identity_is_refused_and_left_alone(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"hash is '0123456789', .* 'abcdefabcd'; .* unknown"):
        newest_checkpoint(tmp_path, identity="abcdefabcd", seed=SEED)
    assert names(tmp_path) == both(1)


def test_checkpoint_of_another_seed_is_refused_and_left_alone(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(CheckpointError, match="is of seed 3, this run's is 4") as caught:
        newest_checkpoint(tmp_path, identity=IDENTITY, seed=4)
    assert caught.value.exit_code == 3
    assert names(tmp_path) == both(1)


def test_checkpoint_from_before_manifests_told_the_seed_is_read(tmp_path: Path) -> None:
    write(tmp_path, 1)
    path = tmp_path / "00000001.json"
    manifest = read_json(path)
    del manifest["seal"], manifest["seed"]
    write_json(path, {**manifest, "seal": checkpoint_module._seal(manifest)})
    assert same(read(tmp_path)[0], numbered(1))


def test_checkpoint_of_another_format_is_refused_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_module, "FORMAT", 99)
        write(tmp_path, 1)
    with pytest.raises(CheckpointError, match="format is 99") as caught:
        read(tmp_path)
    assert caught.value.exit_code == 3
    assert names(tmp_path) == both(1)


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / ".tmp-123-00000002.json").write_text("{")
    (tmp_path / "00000002.safetensors").write_bytes(b"half")
    assert same(read(tmp_path)[0], numbered(1))
    assert names(tmp_path) == both(1)


class Died(BaseException):
    """The process is gone: no handler for errors sees this."""


class Mortal:
    """Lets the n-th operation on the disk be the one at which the process dies."""

    def __init__(self, last: int) -> None:
        self.last, self.count = last, 0

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count > self.last:
                raise Died
            return function(*args, **kwargs)

        return step

    def write_all(self, file: IO[bytes], content: bytes) -> None:
        self.count += 1
        if self.count > self.last:
            file.write(content[: len(content) // 2])
            raise Died
        file.write(content)

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("fsync", "replace", "unlink", "open", "close"):
            patch.setattr(os, name, self(getattr(os, name)))
        patch.setattr(run_folder, "open", self(builtins.open), raising=False)
        patch.setattr(run_folder, "write_all", self.write_all)


def deaths(folder: Path) -> Iterator[int]:
    """Save checkpoint 3 beside 1 and 2, dying at the first, the second, … operation."""
    for last in range(1000):
        for path in folder.iterdir():
            path.unlink()
        write(folder, 1, 2)
        mortal = Mortal(last)
        with pytest.MonkeyPatch.context() as patch:
            mortal.patch(patch)
            try:
                write(folder, 3)
            except Died:
                patch.undo()
                yield last
                continue
        assert mortal.count == last
        return


def test_death_at_any_operation_of_a_save_leaves_the_old_or_the_new_checkpoint(
    tmp_path: Path,
) -> None:
    numbers = []
    for _ in deaths(tmp_path):
        found, warnings = read(tmp_path)
        assert found is not None
        assert same(found, numbered(found.iterations))
        assert warnings == []
        assert not [name for name in names(tmp_path) if name.startswith(".tmp-")]
        numbers.append(found.iterations)
        write(tmp_path, 4)  # and training can go on
        assert same(read(tmp_path)[0], numbered(4))
        assert names(tmp_path) == both(found.iterations) | both(4)
    assert len(numbers) > 15
    assert set(numbers) == {2, 3}
    assert numbers == sorted(numbers)


class Disk:
    """Remembers what a power cut may take: contents without fsync, names without a folder's."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.durable = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.named = dict(self.durable)
        self.synced: dict[str, bytes] = {}
        self.states: list[dict[str, bytes]] = []
        fsync, replace, unlink = os.fsync, os.replace, os.unlink

        def on_fsync(descriptor: int) -> None:
            fsync(descriptor)
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path == folder:
                self.durable = dict(self.named)
            else:
                self.synced[path.name] = path.read_bytes()
            self.note()

        def on_replace(source: Path, target: Path) -> None:
            replace(source, target)
            # Without fsync a rename may become durable before the content.
            self.named[Path(target).name] = self.synced.pop(Path(source).name, b"")
            self.note()

        def on_unlink(path: Path, **options: Any) -> None:
            unlink(path, **options)
            self.named.pop(Path(path).name, None)
            self.note()

        patch.setattr(os, "fsync", on_fsync)
        patch.setattr(os, "replace", on_replace)
        patch.setattr(os, "unlink", on_unlink)

    def note(self) -> None:
        """Note what may be left: no name since the folder's fsync, all of them, or any one."""
        self.states += [self.durable, dict(self.named)]
        for name in self.named.keys() ^ self.durable.keys():
            one = dict(self.durable)
            if name in self.named:
                one[name] = self.named[name]
            else:
                del one[name]
            self.states.append(one)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name descriptors")
def test_power_cut_at_any_moment_of_a_save_leaves_a_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(tmp_path, patch)
        write(tmp_path, 3)
    assert len(disk.states) > 20
    for state in disk.states:
        restore(tmp_path, state)
        found, _ = read(tmp_path)
        assert found is not None
        assert same(found, numbered(found.iterations))
        assert found.iterations >= 2


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def crafted(header: object, data: bytes = b"") -> bytes:
    """Return a safetensors file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: object, shape: object, offsets: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


MALICIOUS = {
    "empty": b"",
    "short": b"\x01\x02",
    "huge header": struct.pack("<Q", 2**63 - 1) + b"{}",
    "large header": struct.pack("<Q", 2**40) + b"{}" * 50,
    "header is a list": crafted([1, 2]),
    "header is nested deeply": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "entry is a number": crafted({"theta": 3}),
    "unknown type": crafted({"theta": entry("F999", [1], [0, 4])}, b"1234"),
    "type that numpy lacks": crafted({"theta": entry("F8_E4M3", [1], [0, 1])}, b"1"),
    "bfloat16": crafted({"theta": entry("BF16", [1], [0, 2])}, b"12"),
    "absurd shape": crafted({"theta": entry("F32", [2**62, 2**62], [0, 4])}, b"1234"),
    "negative shape": crafted({"theta": entry("F32", [-1], [0, 4])}, b"1234"),
    "offsets past the end": crafted({"theta": entry("F32", [1], [0, 400])}, b"1234"),
    "offsets reversed": crafted({"theta": entry("F32", [1], [4, 0])}, b"1234"),
    "numpy file": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': ()}",
    "yaml": b"!!python/object/apply:os.system ['touch canary']",
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_crafted_arrays_are_an_error_of_ours(name: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    path.write_bytes(MALICIOUS[name])
    with pytest.raises(CheckpointError) as caught:
        load_arrays(path)
    assert caught.value.exit_code == 3
    assert str(path) in str(caught.value)


def test_pickle_in_disguise_is_not_executed(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "policy.safetensors"
    path.write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(CheckpointError):
        load_arrays(path)
    assert not canary.exists()
    pickle.loads(path.read_bytes())  # noqa: S301 the proof that the canary would sing
    assert canary.exists()


def test_path_as_the_name_of_an_array_is_only_a_name(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "policy.safetensors"
    path.parent.mkdir()
    path.write_bytes(save({"../../canary": np.ones(2)}))
    assert set(load_arrays(path)) == {"../../canary"}
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_file_of_absurd_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    path.touch()
    os.truncate(path, 1 << 41)  # sparse: takes no room on the disk, but would in memory
    with pytest.raises(CheckpointError, match="larger than any of ours"):
        load_arrays(path)


def test_wrong_sum_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    path.write_bytes(save({"theta": np.ones(2)}))
    with pytest.raises(CheckpointError, match="sha256"):
        load_arrays(path, sha256="0" * 64)


def sealed(manifest: dict[str, object]) -> str:
    """Return a manifest as somebody who knows our seal would forge it."""
    return json.dumps({**manifest, "seal": checkpoint_module._seal(manifest)})


@pytest.mark.parametrize(
    "change",
    [
        {"arrays": "../../../../etc/passwd"},
        {"iterations": "../2"},
        {"iterations": 1.5},
        {"iterations": -2},
        {"sim_steps": None},
        {"wall_s": "1"},
        {"sha256": ["a"]},
        {"identity": {"a": 1}},
    ],
    ids=str,
)
def test_forged_manifest_is_passed_over(change: dict[str, object], tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    manifest = json.loads((tmp_path / "00000002.json").read_text())
    del manifest["seal"]
    (tmp_path / "00000002.json").write_text(sealed({**manifest, **change}))
    assert_older_one_is_used(tmp_path)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(content=st.binary(max_size=200), length=st.integers(0, 400) | st.integers(0, 2**64 - 1))
def test_any_bytes_are_arrays_or_an_error_of_ours(
    content: bytes, length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz-{os.getpid()}.safetensors"
    for raw in (content, struct.pack("<Q", length) + content, crafted({"a": 1})[:8] + content):
        path.write_bytes(raw)
        try:
            load_arrays(path)
        except CheckpointError:
            continue
