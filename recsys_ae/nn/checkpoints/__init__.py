"""Checkpoints of a training: the state that an interrupted fit goes on from, bit for bit."""
