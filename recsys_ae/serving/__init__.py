"""Saved models behind other interfaces: a table of histories in, recommendations out."""
