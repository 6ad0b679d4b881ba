"""Errors in a part of a table, whose messages name the part."""

from collections.abc import Iterator
from contextlib import contextmanager

from recsys_ae.data.readers.errors import errors_of
from recsys_ae.data.readers.parts.places import Part
from recsys_ae.data.readers.table import EmptyError
from recsys_ae.errors import DataError


class PartError(DataError):
    """An error whose message names the part, or that concerns the parts together."""


@contextmanager
def errors_in(part: Part) -> Iterator[None]:
    """Begin the messages of errors with the name of a part; an `EmptyError` is left as it is."""
    try:
        with errors_of(part.name, "utf-8"):
            yield
    except EmptyError:
        raise
    except DataError as error:
        raise PartError(*error.parts) from error
