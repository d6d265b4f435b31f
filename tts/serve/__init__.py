"""The gateway: every strategy is a model name behind OpenAI's interface."""
