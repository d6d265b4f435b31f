"""Everything that problems or candidate sets can be read from."""
