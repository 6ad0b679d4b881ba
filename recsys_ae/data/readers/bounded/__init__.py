"""Compressed files, archives and transfers, bounded so that no small file or server fills the memory or takes hours."""
