"""What autoencoders of features are good for: measures of codes and reconstructions, and the tasks they serve."""

from recsys_ae.analysis.projection import quality

__all__ = ["quality"]
