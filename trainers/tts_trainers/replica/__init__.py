"""The miniature replica: a family of small models trained from nothing that shows the paper's effects."""
