"""What a plugin implements, each kind with the way to have one by its name."""
