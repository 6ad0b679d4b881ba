"""``recsys-ae similar DIR ITEM...``: the most similar items of a model."""

from pathlib import Path

from recsys_ae.errors import DataError

from .. import ids, options
from ..display import Display
from ..framework import Positional, as_command
from ..param_types import FILE
from ..saved import titles_of

PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved model."),
    Positional("items", metavar="ITEM...", nargs=-1, required=True, summary="Ids of one or more items."),
    options.k("Number of similar items.", "Output"),
    options.device(),
]


@as_command("similar", PARAMS)
def command(folder: Path, items: tuple[str, ...], k: int, device: str) -> None:
    """Show the items that are most similar to an item.

    Items are given by their ids. The similarity is the cosine of the vectors that the model in DIR has learnt.
    """
    from recsys_ae.recommender.recommender import Recommender  # noqa: PLC0415

    model = Recommender.load(folder, device=device)
    titles = titles_of(model)
    positions = ids.positions(model.items, items)
    for word, position in zip(items, positions, strict=True):
        if position < 0:
            near = ids.similar_to(word, model.items, titles)
            raise DataError(f"the model does not know the item {ids.named([word])}{near}")
    neighbours = model.similar(positions, k)
    display = Display()
    for row, position in enumerate(positions):
        display.line(f"{chr(10) if row else ''}Similar to {ids.described(position, model.items, titles)}:")
        headers = (">rank", "item", *(["title"] if titles else []), ">cosine")
        pairs = zip(neighbours.items[row], neighbours.scores[row], strict=True)
        display.table(headers, [
            (rank, str(model.items[neighbour]), *([titles[neighbour]] if titles else []), float(score))
            for rank, (neighbour, score) in enumerate(pairs, start=1)
        ])  # fmt: skip
