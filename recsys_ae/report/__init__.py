"""Reports as one self-contained HTML page: its parts, charts and templates, from plain numbers."""
