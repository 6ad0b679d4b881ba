"""Saved models and atomic file writes."""
