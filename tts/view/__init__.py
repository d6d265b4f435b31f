"""`tts view`: reports of stores or summaries in a browser, also while a run goes on; nothing is written."""
