"""Closed forms and sparse linear algebra."""
