"""What samples, then decides: one task per problem, one limiter per model."""
