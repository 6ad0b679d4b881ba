"""Splits of interactions into training data, validation users and test users."""
