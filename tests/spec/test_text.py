"""Hyper-parameters as one line of text: reading and writing."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from recsys_ae import models
from recsys_ae.errors import ConfigError
from recsys_ae.spec import text as hyper_text
from recsys_ae.spec.hyper import describe, hp, validate


@dataclass(frozen=True, kw_only=True)
class Example:
    """Configuration with a hyper-parameter of every type."""

    epochs: int = hp(3, "passes over the data", low=1)
    lr: float = hp(1e-3, "learning rate", low=0, high=1)
    hidden: tuple[int, ...] = hp((600, 200), "widths", low=1)
    shares: tuple[float, ...] = hp((), "shares")
    kind: Literal["a", "none"] = hp("a", "kind of example")
    tied: bool = hp(False, "use one matrix for encoder and decoder")
    limit: int | None = hp(None, "maximum number; none is no limit")
    start: int | None = hp(7, "first epoch that counts")
    monitor: str = hp("ndcg@100", "validation metric")

    def __post_init__(self) -> None:
        validate(self)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", {}),
        ("  ", {}),
        ("epochs=12", {"epochs": 12}),
        ("lr=2e-05", {"lr": 2e-5}),
        ("lr=0.30000000000000004", {"lr": 0.1 + 0.2}),
        ("hidden=5", {"hidden": (5,)}),
        ("hidden=30/20/10", {"hidden": (30, 20, 10)}),
        ("hidden=", {"hidden": ()}),
        ("shares=0.5/0.25", {"shares": (0.5, 0.25)}),
        ("kind=none", {"kind": "none"}),
        ("tied=yes", {"tied": True}),
        ("limit=9 start=none", {"limit": 9, "start": None}),
        ("epochs=1  monitor=recall@20", {"epochs": 1, "monitor": "recall@20"}),
    ],
)
def test_every_type_is_read_and_written(text: str, meant: dict[str, Any]) -> None:
    expected = Example(**meant)
    assert hyper_text.read(Example, text) == expected
    assert hyper_text.write(expected) == " ".join(text.split())


def test_defaults_are_left_out_and_the_order_is_that_of_the_declaration() -> None:
    assert hyper_text.write(hyper_text.read(Example, "tied=yes lr=0.0010 epochs=3 hidden=600/200")) == "tied=yes"
    assert hyper_text.write(hyper_text.read(Example, "monitor=mrr@5 epochs=4")) == "epochs=4 monitor=mrr@5"


def test_names_may_be_written_as_on_the_command_line() -> None:
    cls = models.spec_class("mult_dae")
    assert hyper_text.read(cls, "batch-size=7") == hyper_text.read(cls, "batch_size=7") == cls(batch_size=7)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch=3", "no hyper-parameter 'epoch'; did you mean 'epochs'?"),
        ("epochs", "'epochs' is not a setting; write name=value"),
        ("epochs= 3", "epochs= must be a whole number"),
        ("epochs=2.5", "epochs=2.5 must be a whole number"),
        ("epochs=0", "epochs = 0 is out of bounds; expected at least 1"),
        ("epochs=3 epochs=4", "epochs is set twice"),
        ("lr=fast", "lr=fast must be a number"),
        ("lr=nan", "lr = nan must be a finite number"),
        ("hidden=600,200", "hidden=600,200 must be a whole number; separate several by /"),
        ("hidden=600//200", "separate several by /"),
        ("tied=true", "tied=true must be yes or no"),
        ("kind=b", "kind = 'b' is not one of 'a', 'none'"),
        ("limit=None", "limit=None must be a whole number"),
    ],
)
def test_a_mistake_is_an_error_that_says_what_is_meant(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as found:
        hyper_text.read(Example, text)
    assert said in str(found.value)


@pytest.mark.parametrize("monitor", ["two words", " ", "a\tb"])
def test_what_would_be_read_differently_is_not_written(monitor: str) -> None:
    with pytest.raises(ConfigError, match="cannot be written as text"):
        hyper_text.write(Example(monitor=monitor))


@pytest.mark.parametrize("name", [name for name in models.names() if name != "blend"])
def test_every_model_can_be_written_with_any_value_changed(name: str) -> None:
    cls: Any = models.spec_class(name)
    assert hyper_text.write(cls()) == ""
    for member in describe(cls):
        for value in _others(member.type, member.default, member.choices):
            try:
                spec = dataclasses.replace(cls(), **{member.name: value})
            except ConfigError:
                continue  # out of bounds, or not with the other defaults
            assert hyper_text.read(cls, hyper_text.write(spec)) == spec


def _others(kind: Any, default: Any, choices: tuple[str, ...]) -> list[Any]:
    if choices:
        return list(choices)
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, (int, float)):
        return [default * 3, default / 3 + 0.123456789] if isinstance(default, float) else [default + 1]
    if isinstance(default, tuple):
        return [(), (*default, *default), (3,), (3, 4, 5)]
    return [1, 0.5, None] if default is None else [f"{default}x"]
