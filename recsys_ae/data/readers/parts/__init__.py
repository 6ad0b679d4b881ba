"""Tables in several files: folders, patterns and addresses, partitions, and the condition that selects rows."""
