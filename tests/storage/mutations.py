"""Mutations of saved models: of each entry of their JSON, of ids, tensors, headers, files, and of random bytes."""

import json
import os
import random
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.storage.mutated import CONFIG, STATE, Mutation, Sample, dumped, seal

NAN, INFINITY = float("nan"), float("inf")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


REMOVED = object()
VALUES: list[Any] = [
    REMOVED, None, True, False, -1, 0, 1, 3, 10**6, 10**12, 2**63, 10**30, 0.5, -0.5, 1e308, 1e39, NAN, INFINITY,
    "", "x", "ease", "../../etc/passwd", "\0", "\x1b[31m", "x" * 100_000, [], [0], [1] * 100_000, ["ease"] * 100_000,
    ["ease", "pca"], {}, {"a": 1}, nested(50), nested(2000), {"a": nested(900)},
]  # fmt: skip


TARGETS = ("/dev/zero", "/dev/urandom", "/dev/tty", "/dev/null", "/nowhere", "/etc/passwd", "/")
"""Targets of links in the place of files."""


def label(value: Any) -> str:
    """Return a value in the name of a mutation."""
    if isinstance(value, (list, dict)):
        return f"{type(value).__name__} of {len(value)}"
    return "removed" if value is REMOVED else repr(value)[:30]


def paths_in(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places in JSON; of a list the first three."""
    parts = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*prefix, key)
        yield from paths_in(part, (*prefix, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Set a value in JSON, or remove it."""
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    if new is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return value


def of_json(sample: Sample, file: str) -> Iterator[Mutation]:
    """Yield changes of each entry of a JSON file to each of the values."""
    original = json.loads((sample.folder / file).read_text("utf-8"))
    for path in paths_in(original):
        if path[0] == "checksums":
            continue
        for new in VALUES:
            yield f"{file} {path} = {label(new)}", _json_change(file, path, new)
    for new in VALUES[1:]:
        yield f"{file} = {label(new)}", _whole_json(file, new)


def _json_change(file: str, path: tuple[Any, ...], new: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        value = changed(json.loads((folder / file).read_text("utf-8")), path, new)
        if file == CONFIG:
            seal(folder, value)
        else:
            (folder / file).write_text(dumped(value), "utf-8")
            seal(folder)

    return change


def _whole_json(file: str, new: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).write_text(dumped(new), "utf-8")
        if file != CONFIG:
            seal(folder)

    return change


def of_ids(sample: Sample, file: str) -> Iterator[Mutation]:
    """Yield other ids: repeated, swapped, too many, too few, of other types."""
    stored = json.loads((sample.folder / file).read_text("utf-8"))
    values, dtype = stored["values"], stored["dtype"]
    others = {
        "twice": [values[0], *values[:-1]],
        "swapped": values[::-1],
        "one more": [*values, "more"],
        "one less": values[:-1],
        "none": [],
        "text": list(map(str, values)),
        "mixed": [str(values[0]), *values[1:]],
        "true": [True, 1, 1.0, *values[3:]],
        "long": ["x" * 10**6, *map(str, values[1:])],
        "lists": [[value] for value in values],
        "nulls": [None, *values[1:]],
        "floats": [0.5 + position for position in range(len(values))],
        "huge": [10**30, *range(len(values) - 1)],
        "large": [2**63, *range(len(values) - 1)],
    }
    kinds = [
        dtype,
        "object",
        "str",
        "float64",
        "datetime64[ns]",
        "category",
        "int8",
        "complex128",
        "Sparse[int]",
        "V8",
        "S3",
    ]
    for name, ids in others.items():
        for kind in kinds:
            yield f"{file} {name} as {kind}", _whole_json(file, {"dtype": kind, "values": ids})


def of_tensors(sample: Sample) -> Iterator[Mutation]:
    """Yield other tensors: of other shapes, types and values, missing, additional, renamed."""
    state = load_file(sample.folder / STATE)
    for name, tensor in state.items():
        others = {
            "missing": None,
            "double": tensor.double(),
            "half": tensor.half(),
            "whole": tensor.to(torch.int32),
            "bool": tensor.bool(),
            "flat": tensor.flatten(),
            "wider": tensor.unsqueeze(0),
            "empty": tensor.new_zeros(0),
            "no numbers": tensor.new_zeros(0, *tensor.shape),
            "scalar": tensor.new_zeros(()),
            "transposed": tensor.T.contiguous() if tensor.ndim == 2 else tensor,
            "longer": torch.cat([tensor, tensor]) if tensor.ndim else tensor,
            "shorter": tensor[:-1] if tensor.ndim and len(tensor) else tensor,
            "times a million": tensor * 10**6,
        }
        numbers = (NAN, INFINITY, 1e38, -1e38, 1e9, 0, 1) if tensor.is_floating_point() else (-1, 0, 1, 10**6)
        others |= {f"full of {number}": torch.full_like(tensor, number) for number in numbers}
        if tensor.is_floating_point():
            others["far away"] = tensor * 1e30
        for how, other in others.items():
            yield f"{name} {how}", _other_tensors({**{k: v for k, v in state.items() if k != name},
                                                   **({} if other is None else {name: other})})  # fmt: skip
        yield f"{name} renamed", _other_tensors({**{k: v for k, v in state.items() if k != name}, f"{name}x": tensor})
    yield "one more", _other_tensors({**state, "network.more": torch.zeros(2)})
    yield "another one", _other_tensors({**state, "more": torch.zeros(2)})
    yield "none", _other_tensors({})


def _other_tensors(state: dict[str, torch.Tensor]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, folder / STATE)
        seal(folder)

    return change


def of_headers(sample: Sample) -> Iterator[Mutation]:
    """Yield tensor files whose header claims other tensors than there are."""
    content = (sample.folder / STATE).read_bytes()
    size = int.from_bytes(content[:8], "little")
    header, rest = json.loads(content[8 : 8 + size]), content[8 + size :]
    for name in [name for name in header if name != "__metadata__"]:
        for key, values in {
            "shape": [[10**12], [2**40, 2**40], [0], [-1], [0, 2**62], "x", None, [1.5], [1] * 10_000],
            "dtype": ["F64", "I64", "BOOL", "F8_E4M3", "x", None, 1],
            "data_offsets": [[0, 0], [0, 10**15], [10**6, 0], [-1, 4], None, [0]],
        }.items():
            for value in values:
                text = json.dumps({**header, name: {**header[name], key: value}}).encode()
                yield (
                    f"header {name} {key} {str(value)[:20]}",
                    _bytes(STATE, struct.pack("<Q", len(text)) + text + rest),
                )
    for length in (0, 1, 10**6, 2**31, 2**63 - 1, 2**64 - 1):
        yield f"header of {length}", _bytes(STATE, struct.pack("<Q", length) + content[8:])
    deep = b"[" * 10**6
    yield "deep header", _bytes(STATE, struct.pack("<Q", len(deep)) + deep)


def _bytes(file: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).write_bytes(content)
        if file != CONFIG:
            seal(folder)

    return change


def of_files(sample: Sample) -> Iterator[Mutation]:
    """Yield links, folders, pipes and devices in place of files, and files of other lengths."""
    for file in sorted(path.name for path in sample.folder.iterdir()):
        content = (sample.folder / file).read_bytes()
        for name, other in {
            "missing": None, "folder": Path.mkdir, "pipe": os.mkfifo, "large": sparse,
            "loop": lambda path: path.symlink_to(path.name),
            **{target: partial(Path.symlink_to, target=target) for target in TARGETS},
        }.items():  # fmt: skip
            yield f"{file} is {name}", _replaced(file, other)
        for length in (0, 1, 7, 8, 9, len(content) // 2, len(content) - 1):
            yield f"{file} of {length} bytes", _bytes(file, content[:length])
        yield f"{file} and more", _bytes(file, content + b"x")


def sparse(path: Path) -> None:
    """Make a file of 1 TiB without content."""
    with path.open("wb") as file:
        file.truncate(2**40)


def _replaced(file: str, other: Callable[[Path], object] | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).unlink()
        if other is not None:
            other(folder / file)

    return change


def of_others(sample: Sample, samples: list[Sample]) -> Iterator[Mutation]:
    """Yield the hyper-parameters, the tensors and the ids of another model."""
    for other in samples:
        theirs = json.loads((other.folder / CONFIG).read_text("utf-8"))
        for keys in (("model",), ("spec",), ("model", "spec"), ("shape",), ("facts",), ("history",), ("form",)):
            yield f"{keys} of {other.name}", _their_entries({key: theirs[key] for key in keys if key in theirs})
        for file in (STATE, "items.json", "notes.json", "columns.json", "users.json"):
            if (other.folder / file).exists():
                yield f"{file} of {other.name}", _bytes(file, (other.folder / file).read_bytes())


def _their_entries(entries: dict[str, Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        seal(folder, {**config, **entries})

    return change


def at_random(sample: Sample, rng: random.Random, count: int) -> Iterator[Mutation]:
    """Yield changes of random bytes: flipped bits, removed, repeated and inserted pieces."""
    files = sorted(path.name for path in sample.folder.iterdir())
    for number in range(count):
        file = rng.choice(files)
        content = bytearray((sample.folder / file).read_bytes())
        for _ in range(rng.choice((1, 1, 2, 8))):
            place, length = rng.randrange(len(content) + 1), rng.randrange(1, 20)
            piece = bytes(rng.choice(b'0123456789.-+eE"[]{},:truefalsnN\\\0\xff') for _ in range(rng.randrange(1, 4)))
            kind = rng.randrange(5)
            if kind == 0 and place < len(content):
                content[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                del content[place : place + length]
            elif kind == 2:
                content[place:place] = content[place : place + length]
            elif kind == 3:
                content[place : place + len(piece)] = piece
            else:
                content[place:place] = piece
        yield f"random bytes {number} of {file}", _random_bytes(file, bytes(content))


def _random_bytes(file: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).write_bytes(content)
        try:
            config = json.loads((folder / CONFIG).read_text("utf-8"))
        except (ValueError, RecursionError):
            return
        seal(folder, config)

    return change


def all_of(sample: Sample, samples: list[Sample], rng: random.Random) -> list[Mutation]:
    """Return all mutations of a model."""
    json_files = sorted(path.name for path in sample.folder.iterdir() if path.suffix == ".json")
    mutations = [mutation for file in json_files for mutation in of_json(sample, file)]
    for file in set(json_files) & {"items.json", "users.json", "columns.json"}:
        mutations += of_ids(sample, file)
    mutations += [*of_tensors(sample), *of_headers(sample), *of_files(sample), *of_others(sample, samples)]
    return [*mutations, *at_random(sample, rng, 200)]
