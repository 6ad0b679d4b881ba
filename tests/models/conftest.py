"""Fixtures of all tests of this folder."""

from tests.single_thread import single_thread  # noqa: F401
