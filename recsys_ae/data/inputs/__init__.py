"""Checks and conversion of what callers pass: matrices and tables of other libraries."""
