"""Files in which each line holds a user and all of their items, such as those of LightGCN."""
