"""Commands of `recsys-ae`, one file each."""
