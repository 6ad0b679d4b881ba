"""Top-N lists from scores."""
