"""The border to code that is not ours: plugins, listeners, a user's functions."""
