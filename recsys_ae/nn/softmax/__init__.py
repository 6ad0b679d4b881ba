"""Full and sampled softmax over the items."""
