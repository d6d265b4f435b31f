"""`tts view`: reports of stores and summaries in a browser, also while a run goes on; nothing is written."""
