"""The file in which everything sampled is kept."""
