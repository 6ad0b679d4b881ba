"""Tests of files of lists of items."""
