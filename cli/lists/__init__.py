"""Top-N lists: the users who get one, and the folder of parts that lists are written to."""
