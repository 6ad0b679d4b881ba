"""The `Recommender`: fit, recommend, save and load."""
