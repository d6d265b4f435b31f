"""`tts view`: reports of stores and summaries in a browser of this machine, also while a run goes on; nothing is written."""
