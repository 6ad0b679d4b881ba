"""Bounds of compressed files and archives, so that a small file cannot fill the memory or take hours."""
