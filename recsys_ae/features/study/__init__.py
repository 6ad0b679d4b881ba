"""Comparative studies of autoencoders: a plan, its saved fits and measures, and one report."""
