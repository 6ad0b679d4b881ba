"""Autoencoder recommenders: sparse histories in, recommendations with honest numbers out."""
