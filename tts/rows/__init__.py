"""Rows of files, hubs, iterables: what stands in each becomes an example or a candidate set."""
