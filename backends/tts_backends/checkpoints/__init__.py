"""What a model is before anything runs it: its chat template, its prompts in tokens, how its files are told apart."""
