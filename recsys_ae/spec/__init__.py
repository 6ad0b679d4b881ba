"""Hyper-parameters: declaration, text form and the registry of models."""
