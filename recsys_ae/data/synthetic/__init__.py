"""Synthetic interactions with a known best ranking."""
