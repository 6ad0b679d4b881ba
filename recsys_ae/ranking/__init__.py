"""From scores to top-N lists."""
