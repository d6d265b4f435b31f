from tts.answers._opinions import Opinions, second_opinions
from tts.answers._service import Answers, Stats
from tts.answers._statement import Statement
from tts.answers.asked import fast_equal
from tts.answers.expectation import Expectation, expected
from tts.answers.extraction import Extraction, extract, find_answer
from tts.vocabulary.clusters import Clusters, Conflict

__all__ = [
    "Answers",
    "Clusters",
    "Conflict",
    "Expectation",
    "Extraction",
    "Opinions",
    "Statement",
    "Stats",
    "expected",
    "extract",
    "fast_equal",
    "find_answer",
    "second_opinions",
]
