"""What samples and decides: one task per problem, one limiter per model."""
