"""The synchronous face: one function per verb, each of which drives an engine."""
