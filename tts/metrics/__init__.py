"""Numbers about outcomes: grades, accuracies, curves, tests, costs, their tables."""
