"""Reading ahead: the next parts are read by other threads while the present one is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from recsys_ae.data.readers.table import arrow

Item = TypeVar("Item")
Read = TypeVar("Read")
MOST = 4
"""Largest number of parts that are read at the same time, each of which takes memory."""


def read_ahead(read: Callable[[Item], Read], items: Iterable[Item]) -> Iterator[Read]:
    """Yield ``read(item)`` for each item, in their order; an error is raised when its item's turn comes."""
    n = min(MOST, arrow().cpu_count())
    waiting: deque[Future[Read]] = deque()
    with ThreadPoolExecutor(n) as pool:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > n:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
