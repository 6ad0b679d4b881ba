"""Item features from tables, genres, texts, images, sequences and arrays."""
