"""Models the engine can call: policies, scorers, judges.

They are declared as a stranger would declare them.
"""

from __future__ import annotations

import dataclasses

from tts import Entry, hookimpl

_ON_RAY = Entry(
    name="ray",
    target="tts_backends.ray.model:RayBackend",
    extra="ttscale[ray]",
    summary="any of these in actors of a Ray cluster, e.g. ray:vllm:MODEL@actors=8",
    paper="Moritz et al. 2018, arXiv 1712.05889",
)


@hookimpl
def tts_backends() -> list[Entry]:
    """The built-in backends."""
    return [
        Entry(
            name="hf",
            target="tts_backends.hf.backend:HFBackend",
            extra="ttscale[hf]",
            summary="transformers in process: any causal LM of hub or folder, GGUF included; hf:miniature is ours",
        ),
        Entry(
            name="vllm",
            target="tts_backends.vllm.backend:VLLMBackend",
            extra="ttscale[vllm]",
            summary="vLLM in process (Kwon et al. 2023, arXiv 2309.06180), with all options of the engine",
        ),
        Entry(
            name="sglang",
            target="tts_backends.sglang.backend:SGLangBackend",
            extra="ttscale[sglang]",
            summary="SGLang (Zheng et al. 2023, arXiv 2312.07104): an engine for this run, or @base_url= of servers",
        ),
        Entry(
            name="openai",
            target="tts_backends.openai.backend:OpenAIBackend",
            extra="ttscale[openai]",
            summary="any server with OpenAI's interface (vLLM, SGLang, llama.cpp, Ollama, hosted); several make a pool",
        ),
        Entry(
            name="openai-batch",
            target="tts_backends.openai_batch.backend:OpenAIBatchBackend",
            extra="ttscale[openai]",
            summary="OpenAI's batches, or files for vLLM's run-batch: all draws of a stage at half price, within a day",
        ),
        _ON_RAY,
    ]


@hookimpl
def tts_scorers() -> list[Entry]:
    """The built-in scorers."""
    return [
        dataclasses.replace(_ON_RAY, target="tts_backends.ray.model:RayScorer"),
        Entry(
            name="hf-reward",
            target="tts_backends.scorers.hf_reward:HFReward",
            extra="ttscale[hf]",
            summary="scalar reward models of transformers, batched by length (Skywork-Reward, arXiv 2410.18451)",
        ),
        Entry(
            name="hf-prm",
            target="tts_backends.scorers.hf_prm:HFProcessReward",
            extra="ttscale[hf]",
            summary="process reward models of transformers, step scores made one (Qwen2.5-Math-PRM, arXiv 2501.07301)",
        ),
        Entry(
            name="hf-confidence",
            target="tts_backends.scorers.hf_confidence:HFConfidence",
            extra="ttscale[hf]",
            summary="how sure the policy is: self-certainty (Kang et al. 2025, arXiv 2502.18581), mean log-probability",
        ),
        Entry(
            name="likelihood",
            target="tts_backends.scorers.hf_confidence:Likelihood",
            extra="ttscale[hf]",
            summary="mean log-probability of a response under any language model of transformers",
        ),
        Entry(
            name="vllm-reward",
            target="tts_backends.scorers.vllm_reward:VLLMReward",
            extra="ttscale[vllm]",
            summary="the same reward models as hf-reward, on vLLM in process",
        ),
        Entry(
            name="sglang-reward",
            target="tts_backends.scorers.sglang_reward:SGLangReward",
            extra="ttscale[sglang]",
            summary="the same reward models as hf-reward, on SGLang: an engine for this run, or @base_url= of servers",
        ),
        Entry(
            name="logprob",
            target="tts_backends.scorers.logprob:LogProbability",
            summary="logprob:mean or sum, as the backend gave it when sampling (Chen et al. 2021, arXiv 2107.03374)",
        ),
        Entry(
            name="length",
            target="tts_backends.scorers.length:Length",
            summary="length:shorter (Hassid et al. 2025, arXiv 2505.17813) or longer, in characters or tokens",
        ),
        Entry(
            name="recorded",
            target="tts_backends.scorers.recorded:Recorded",
            summary="scores that came with a file of candidates; the model is their name, e.g. recorded:rm_scores",
        ),
    ]


@hookimpl
def tts_judges() -> list[Entry]:
    """The built-in formats of generative judges, for any backend: FORMAT:BACKEND:MODEL."""
    return [
        dataclasses.replace(_ON_RAY, target="tts_backends.ray.model:RayJudge"),
        Entry(
            name="generic",
            target="tts_backends.judges.formats:Generic",
            summary="any chat model as a judge, e.g. generic:hf:FOLDER (Zheng et al. 2023, arXiv 2306.05685)",
        ),
        Entry(
            name="rm-r1",
            target="tts_backends.judges.formats:RMR1",
            summary="RM-R1's distilled models, e.g. rm-r1:hf:FOLDER (arXiv 2505.02387)",
        ),
        Entry(
            name="rm-r1-instruct",
            target="tts_backends.judges.formats:RMR1Instruct",
            summary="RM-R1's instruct models, which write a rubric or a solution first (arXiv 2505.02387)",
        ),
        Entry(
            name="pairjudge",
            target="tts_backends.judges.formats:PairJudge",
            summary="PairJudge RM, which says of each response whether it is correct (arXiv 2501.13007)",
        ),
        Entry(
            name="rrm",
            target="tts_backends.judges.formats:RRM",
            summary="Reward Reasoning Models, e.g. rrm:hf:FOLDER (arXiv 2505.14674)",
        ),
        Entry(
            name="pairrm",
            target="tts_backends.judges.pairrm:PairRM",
            extra="ttscale[hf]",
            summary="a classifier of pairs, e.g. pairrm:llm-blender/PairRM-hf (Jiang et al. 2023, arXiv 2306.02561)",
        ),
    ]
