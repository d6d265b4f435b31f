"""The plugins of this process: found by entry points, resolved on first use."""
