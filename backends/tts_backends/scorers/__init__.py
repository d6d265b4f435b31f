"""Models of responses, each by the name of its plugin."""
