"""Full and sampled softmax over items: output layer, loss and sampling."""
