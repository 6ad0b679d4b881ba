"""Command line of the package, installed as ``recsys_ae_cli``."""
