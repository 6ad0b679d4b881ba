"""Report on models: what to use and why, from their evaluation on the same users."""
