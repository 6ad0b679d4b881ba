"""Names and numbers of the steps of a study."""

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
"""Tasks that need labels."""


def named(words: Iterable[str]) -> tuple[str, ...]:
    """Return the steps that words stand for, in the order of the study.

    A word is a name, a number from 1 to 8, or ``tasks`` for all tasks.

    Raises
    ------
    ConfigError
        A word stands for no step.
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
