"""Test package with a model, installed into a temporary folder as by `pip install`."""

import os
import subprocess
import sys
from pathlib import Path

MODULE = '''"""Neighbours: items that the same users interact with."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recsys_ae.nn.history import History
from recsys_ae.nn.model import ALL, Model, Shape, Spec, Stats
from recsys_ae.spec.hyper import hp


@dataclass(frozen=True, kw_only=True)
class MySpec(Spec):
    """Hyper-parameters of the neighbours."""

    l2: float | Literal["auto"] = hp("auto", "added to each norm; auto is the mean count of an item", low=0)

    def resolved(self, stats: Stats) -> "MySpec":
        return self if self.l2 != "auto" else dataclasses.replace(self, l2=float(stats.items.mean()))

    def build(self, shape: Shape) -> "MyModel":
        assert not isinstance(self.l2, str), "built before it was resolved"
        return MyModel(self, shape)


class MyModel(Model):
    """score = x . S, where S holds the cosines of the items."""

    def __init__(self, spec: MySpec, shape: Shape) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("cosines", torch.zeros(shape.width, shape.width))

    def encode(self, x) -> Tensor:
        return x.product(self.cosines)

    def decode(self, z: Tensor, items: slice = ALL) -> Tensor:
        return z[:, items]

    def learn(self, rows, run, validate=None) -> History:
        ones = rows.with_values(torch.ones_like(rows.values))
        for part, block in ones.parts(512):
            dense = block.product(torch.eye(rows.width))
            self.cosines += dense.T @ dense
        norms = (self.cosines.diagonal() + self.spec.l2).clamp_min(1e-9).sqrt()
        self.cosines /= norms[:, None] * norms
        self.cosines.fill_diagonal_(0)
        return History()

    def item_vectors(self) -> Tensor:
        return self.cosines
'''


def install(
    folder: Path,
    package: str = "my-plugin",
    entries: str = "my-model = my_plugin:MySpec",
    *,
    group: str = "recsys_ae.models",
    module: str = MODULE,
) -> Path:
    """Install a package with one model into a folder, and return the folder."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
    (folder / f"{package.replace('-', '_')}.py").write_text(module)
    return folder


def run(command: list[str], path: Path | None, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder on its import path."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [path] if path else []))}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=env, check=False)
