"""From raw problems to training rows: the stages of `tts train-data` (arXiv 2509.00084, section 3.2)."""
