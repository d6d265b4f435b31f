"""Reports: one page, tables for papers, data files, figures.

The page is self-contained, the tables are Markdown or LaTeX. `ReportData` is all that is shown, as plain data; a
section is a function from it to a `Section` of words, tables and figures, found by the hook `tts_reports`, and every
output is made of the sections. Nothing here computes a statistic.
"""

from tts.door import door

__getattr__, __dir__ = door(__name__)
