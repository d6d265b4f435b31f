"""The tables of arXiv 2509.00084: its published numbers, runs of one's own beside them."""
