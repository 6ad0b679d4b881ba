"""Item features and the autoencoders that encode them."""
