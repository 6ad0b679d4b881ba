"""Rows come in: reading files, named data sets, filters and splits."""
