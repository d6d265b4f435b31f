"""The words that everything else is written in: records, errors, events, hooks."""
