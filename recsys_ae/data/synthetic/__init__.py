"""Synthetic interactions with a known optimum."""
