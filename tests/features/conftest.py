"""Settings of all tests in this folder."""

from tests.single_thread import single_thread  # noqa: F401
