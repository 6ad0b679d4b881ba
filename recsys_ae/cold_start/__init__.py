"""Item features in recommenders: initial item embeddings, and weights of cold items."""
