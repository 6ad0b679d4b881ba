"""Data and plan of a study that takes seconds: small pictures with four labels, and a few fits."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from recsys_ae.features.data.features import Features
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.plan import Group, Plan, Sizes
from recsys_ae.features.study.rows import Part
from recsys_ae.spec.hyper import build

SIDE = 6
SIZES = Sizes(
    valid=10, structure=40, k=3, map=30, map_latents=(2,), picture_latents=(2, 3), shares=(0.0, 0.5), noise=(0.0, 0.2),
    labelled=(0.2, 0.5), made=20, queries=20, rare=8, minima=(0, 8), repeats=2,
)  # fmt: skip
FAST = {"epochs": 2, "batch_size": 32, "likelihood": "bernoulli", "layers": 1}


def pictures(n: int, seed: int, *, first: int = 0) -> Part:
    """Return pictures with a bright row or column at one of two positions: four labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    images = rng.uniform(0, 0.2, (n, 1, SIDE, SIDE))
    for image, label in zip(images, labels, strict=True):
        position = 1 + 3 * (label % 2)
        if label < 2:
            image[0, position] += 0.7
        else:
            image[0, :, position] += 0.7
    rows = images.reshape(n, -1)
    return Part(Features(rows, pd.RangeIndex(first, first + n), pd.RangeIndex(SIDE**2), (1, SIDE, SIDE)), labels)


def data(**change: Any) -> StudyData:
    """Return training, validation and test pictures, and pictures of noise."""
    train = pictures(80, 0)
    noise = np.random.default_rng(9).uniform(size=(40, SIDE**2))
    odd = Part(Features(noise, pd.RangeIndex(40), pd.RangeIndex(SIDE**2), (1, SIDE, SIDE)))
    small = StudyData(train, pictures(10, 1, first=80), pictures(60, 2, first=100), train, {"noise": odd})
    return dataclasses.replace(small, **change)


def plan(*groups: dict[str, Any], **change: Any) -> Plan:
    """Return a plan of these groups."""
    fits = tuple(build(Group, group) for group in groups)
    small = {"title": "Small", "data": "small", "groups": fits, "sizes": SIZES, "settings": FAST, "models": {}}
    return dataclasses.replace(Plan.preset("quick"), **{**small, "summary": 3, **change})
