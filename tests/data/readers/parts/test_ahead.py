"""Parts that are read by other threads arrive in their order, with their errors, and not too early."""

import threading
import time

import pytest

from recsys_ae.data.readers.parts.ahead import MOST, read_ahead
from recsys_ae.errors import DataError


def test_parts_arrive_in_their_order_though_the_first_takes_longest():
    def read(item: int) -> int:
        time.sleep(0.2 if item == 0 else 0)
        return item * item

    assert list(read_ahead(read, range(20))) == [item * item for item in range(20)]


def test_an_error_is_raised_after_the_parts_before_it():
    def read(item: int) -> int:
        if item == 3:
            raise DataError("part 3 is damaged")
        return item

    parts = read_ahead(read, range(10))
    assert [next(parts), next(parts), next(parts)] == [0, 1, 2]
    with pytest.raises(DataError, match="part 3"):
        next(parts)


def test_only_a_few_parts_are_read_before_they_are_used():
    begun, lock = [], threading.Lock()

    def read(item: int) -> int:
        with lock:
            begun.append(item)
        return item

    used = read_ahead(read, range(100))
    next(used)
    time.sleep(0.1)
    assert len(begun) <= MOST + 1
    assert list(used) == list(range(1, 100))
