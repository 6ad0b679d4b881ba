"""Neural networks of recommenders: contract, layers, losses, training and linear algebra."""
