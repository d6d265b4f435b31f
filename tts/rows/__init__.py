"""Rows of files, hubs, iterables, made into examples or candidate sets."""
