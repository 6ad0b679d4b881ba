"""Layers, losses and the contract of feature autoencoders."""
