"""What every test of this folder runs under."""

from tests.single_thread import single_thread  # noqa: F401
