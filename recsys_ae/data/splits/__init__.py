"""Splits into training data, validation users and test users."""
