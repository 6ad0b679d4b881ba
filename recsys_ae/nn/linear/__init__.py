"""Closed forms and sparse linear algebra of item-item models."""
