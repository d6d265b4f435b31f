from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tts import Sampling
from tts_backends.hf.sampling import Controls, draw, uniforms

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, 1.5, -3.0, 0.5])


def expected(sampling: Sampling) -> Tensor:
    """The field's definition, one step at a time: temperature, then top-k, then the smallest set that reaches top-p."""
    probabilities = (LOGITS / sampling.temperature).softmax(-1)
    order = probabilities.argsort(descending=True).tolist()[: sampling.top_k]
    mass, total, kept = 0.0, float(probabilities[order].sum()), []
    for token in order:
        if mass < sampling.top_p * total or not kept:
            kept.append(token)
        mass += float(probabilities[token])
    result = torch.zeros_like(probabilities)
    result[kept] = probabilities[kept]
    return result / result.sum()


SAMPLINGS = [
    Sampling(temperature=1.0, top_p=1.0),
    Sampling(temperature=0.6, top_p=1.0),
    Sampling(temperature=1.0, top_p=0.8),
    Sampling(temperature=1.3, top_p=1.0, top_k=3),
    Sampling(temperature=1.0, top_p=0.7, top_k=4),
    Sampling(temperature=1.0, top_p=0.01),
]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_tokens_follow_the_distribution(sampling: Sampling) -> None:
    n = 20_000
    controls = Controls.of(range(n), [sampling] * n, torch.device("cpu"))
    drawn = draw(LOGITS.expand(n, -1), controls, torch.zeros(n, dtype=torch.long))
    counts, wanted = torch.bincount(drawn, minlength=7).double(), expected(sampling).double() * n
    assert (counts[wanted == 0] == 0).all()
    possible = wanted > 0
    chi2 = float(((counts - wanted)[possible] ** 2 / wanted[possible]).sum())
    freedom = int(possible.sum()) - 1
    assert chi2 <= freedom + 4 * math.sqrt(2 * max(freedom, 1)) + 4  # about one in 10,000


def test_a_row_draws_the_same_among_others() -> None:
    samplings = [*SAMPLINGS, Sampling(temperature=0), Sampling(temperature=1.0, top_p=0.95, top_k=1)]
    steps = torch.arange(len(samplings))
    logits = torch.randn(len(samplings), 300, generator=torch.Generator().manual_seed(0)) * 3
    together = draw(logits, Controls.of(range(len(samplings)), samplings, torch.device("cpu")), steps)
    for i, sampling in enumerate(samplings):
        alone = draw(logits[i : i + 1], Controls.of([i], [sampling], torch.device("cpu")), steps[i : i + 1])
        assert alone.item() == together[i].item()
    assert together[-2].item() == logits[-2].argmax().item()
    assert together[-1].item() == logits[-1].argmax().item()


def test_noise_is_uniform_along_steps_and_across_seeds() -> None:
    one = Sampling(temperature=1.0)
    streams = Controls.of([0, 1, 2**64 - 1, -5, 2**200 + 7], [one] * 5, torch.device("cpu")).stream
    noise = uniforms(streams[:, None], torch.arange(20_000))
    assert noise.min() >= 0
    assert noise.max() < 1
    assert torch.allclose(noise.mean(-1), torch.full((5,), 0.5), atol=0.01)
    assert torch.allclose(noise.var(-1), torch.full((5,), 1 / 12), atol=0.003)
    assert (torch.corrcoef(noise).fill_diagonal_(0).abs() < 0.03).all()
    assert torch.corrcoef(torch.stack([noise[0, :-1], noise[0, 1:]]))[0, 1].abs() < 0.03


def test_neighbouring_seeds_are_independent() -> None:
    n = 20_000
    streams = Controls.of(range(n), [Sampling(temperature=1.0)] * n, torch.device("cpu")).stream
    first, second = (uniforms(streams, torch.full((n,), t)) for t in (0, 1))
    assert abs(first.mean().item() - 0.5) < 0.01
    assert torch.corrcoef(torch.stack([first[:-1], first[1:]]))[0, 1].abs() < 0.03
    assert torch.corrcoef(torch.stack([first, second]))[0, 1].abs() < 0.03
