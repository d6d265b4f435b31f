"""Stands in for the few names that SGLang takes from vLLM on a CPU without AMX, and gives it back its own.

Without them SGLang falls back to the models of transformers, which it can only let generate, not classify.
"""
