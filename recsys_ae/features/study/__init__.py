"""A comparative study of autoencoders: a plan, its fits and measures kept on the disk, and one report."""
