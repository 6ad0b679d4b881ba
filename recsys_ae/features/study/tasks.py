"""The parts of a study, by name; and the names that a number stands for."""

from collections.abc import Iterable

from recsys_ae.errors import ConfigError
from recsys_ae.spec.hyper import nearest

NUMBERED = {
    1: "models",
    2: "architecture",
    3: "latent",
    4: "reconstruction",
    5: "structure",
    6: "unlike",
    7: "generation",
    8: "summary",
}
TASKS = ("reduction", "denoising", "retrieval", "pretraining", "anomaly", "augmentation")
STEPS = (*NUMBERED.values(), *TASKS)
LABELLED = frozenset({"retrieval", "pretraining", "augmentation"})
"""Those that say nothing without labels."""


def named(words: Iterable[str]) -> tuple[str, ...]:
    """Return the steps that words mean, in their order: names, numbers from 1 to 8, ``tasks`` for all tasks.

    Raises
    ------
    ConfigError
        For a word that names no step.
    """
    meant: set[str] = set()
    for word in words:
        if word == "tasks":
            meant |= set(TASKS)
        elif word.isdecimal() and int(word) in NUMBERED:
            meant.add(NUMBERED[int(word)])
        elif word in STEPS:
            meant.add(word)
        else:
            raise ConfigError(f"there is no step {word!r}{nearest(word, ('1 to 8', 'tasks', *STEPS))}")
    return tuple(step for step in STEPS if step in meant)
