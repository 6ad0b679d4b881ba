"""Item features in recommenders: where item tables begin, and weights of cold items."""
