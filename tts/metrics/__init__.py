"""Numbers about outcomes: grades, accuracies, curves, tests, costs."""
