from tts.answers._equality import fast_equal
from tts.answers._opinions import Opinions, second_opinions
from tts.answers._service import Answers, Stats
from tts.answers.extraction import extract
from tts.vocabulary.clusters import Clusters, Conflict

__all__ = [
    "Answers",
    "Clusters",
    "Conflict",
    "Opinions",
    "Stats",
    "extract",
    "fast_equal",
    "second_opinions",
]
