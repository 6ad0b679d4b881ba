"""Readers of interaction files: text, Parquet, JSON lines and archives; the binary cache."""
