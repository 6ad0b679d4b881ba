"""The command line, installed as ``recsys_ae_cli``."""
