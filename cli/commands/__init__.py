"""The commands of `recsys-ae`, one file each."""
