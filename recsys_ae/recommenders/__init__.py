"""One file per model of histories; the folder is the registry."""
