"""Files of interactions: text, Parquet, JSON lines, archives, and the binary cache."""
