"""Puts this folder on the path of the tests below it: `sums_rows` is for several of them."""
