"""Aggregation strategies, one file each.

They are declared as a stranger would declare them.
"""

from __future__ import annotations

from tts import Entry, hookimpl

_STRATEGIES = (
    Entry(
        name="first",
        target="tts_strategies.first:First",
        summary="the first candidate as it is (pass@1); no aggregation",
    ),
    Entry(
        name="majority",
        target="tts_strategies.majority:Majority",
        summary="vote over equivalence classes of answers",
        paper="Wang et al. 2022, arXiv 2203.11171",
    ),
    Entry(
        name="best_of_n",
        target="tts_strategies.best_of_n:BestOfN",
        summary="the response that a reward model scores highest",
        paper="Cobbe et al. 2021, arXiv 2110.14168",
    ),
    Entry(
        name="weighted_majority",
        target="tts_strategies.weighted_majority:WeightedMajority",
        summary="a vote over equivalence classes, weighted by a reward model",
        paper="Li et al. 2022, arXiv 2206.02336",
    ),
    Entry(
        name="knockout",
        target="tts_strategies.knockout:Knockout",
        summary="a tournament of pairs under a generative judge",
        paper="Guo et al. 2025, arXiv 2505.14674",
    ),
    Entry(
        name="synthesizer",
        target="tts_strategies.synthesizer:Synthesizer",
        summary="another model reads the candidates and writes the answer",
        paper="Zhang et al. 2025, arXiv 2501.01668",
    ),
    Entry(
        name="gsr",
        target="tts_strategies.gsr:GSR",
        summary="the policy reads its own candidates and writes a new solution",
        paper="Wang et al., Findings of ACL 2026, arXiv 2509.00084",
    ),
    Entry(
        name="usc",
        target="tts_strategies.usc:USC",
        summary="the policy names the candidate that is most consistent with the others",
        paper="Chen et al. 2023, arXiv 2311.17311",
    ),
    Entry(
        name="genselect",
        target="tts_strategies.genselect:GenSelect",
        summary="the policy compares up to eight candidates at a time and selects the best",
        paper="Toshniwal et al. 2025, arXiv 2507.17797",
    ),
    Entry(
        name="agglm",
        target="tts_strategies.agglm:AggLM",
        summary="the policy corrects, completes and combines its candidates in a final solution",
        paper="Zhao et al. 2025, arXiv 2509.06870",
    ),
    Entry(
        name="moa",
        target="tts_strategies.moa:MoA",
        summary="an aggregator writes one answer from the responses of several models, in layers",
        paper="Wang et al. 2024, arXiv 2406.04692",
    ),
    Entry(
        name="self_refine",
        target="tts_strategies.self_refine:SelfRefine",
        summary="the policy criticises one candidate and rewrites it until it finds nothing to correct",
        paper="Madaan et al. 2023, arXiv 2303.17651",
    ),
    Entry(
        name="adaptive_consistency",
        target="tts_strategies.adaptive_consistency:AdaptiveConsistency",
        summary="a vote that stops sampling once its leading answer is sure to lead",
        paper="Aggarwal et al. 2023, arXiv 2305.11860",
    ),
    Entry(
        name="cascade",
        target="tts_strategies.cascade:Cascade",
        summary="a cheap strategy first, a dearer one only where the cheap one does not decide",
        paper="Yue et al. 2023, arXiv 2310.03094",
    ),
    Entry(
        name="rsa",
        target="tts_strategies.rsa:RSA",
        summary="the policy refines random subsets of a population of solutions, loop after loop",
        paper="Venkatraman et al. 2025, arXiv 2509.26626",
    ),
    Entry(
        name="round_robin",
        target="tts_strategies.round_robin:RoundRobin",
        extra="ttscale[rank]",
        summary="all pairs under a judge, ranked by the Bradley-Terry model",
        paper="Bradley and Terry 1952, doi 10.2307/2334029",
    ),
    Entry(
        name="llm_blender",
        target="tts_strategies.llm_blender:LLMBlender",
        summary="all pairs under a judge, and another model fuses the best",
        paper="Jiang et al. 2023, arXiv 2306.02561",
    ),
)


@hookimpl
def tts_strategies() -> list[Entry]:
    """The built-in strategies."""
    return list(_STRATEGIES)
