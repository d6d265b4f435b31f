"""Where an engine runs beside the program that asks it."""
