"""Reinforcement learning of the refiner itself, on prompts over stored candidates, rewarded by our grader."""
