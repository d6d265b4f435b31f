"""A round robin under a judge: all pairs, ranked by the Bradley–Terry model (doi 10.2307/2334029).

The ranking is fitted by choix, which is imported when it is first needed: it loads scipy.
"""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar

from tts import Card, Context, Decision
from tts_strategies._matches import Judging, Match, generators, verdict_rates

if importlib.util.find_spec("choix") is None:
    raise ModuleNotFoundError("No module named 'choix'", name="choix")  # before any token is spent

Game = tuple[int, int]  # winner, loser
PENALTY = 0.1  # on the sum of squared strengths, a prior of one win or so


class RoundRobin(Judging):
    """Let the judge compare every pair, and take the strongest by the Bradley-Terry model of all verdicts.

    Unreadable verdicts and candidates without a summary are treated as in `knockout`. Each verdict is a game; a match
    between equal answers that was not judged is half won by each, and a match of which no verdict could be read is
    none. A small penalty on squared strengths keeps those finite who win every game, and puts candidates that no
    verdict connects to the others on the average. Where every match has as many games, the order is that of the games
    won. Equal strengths go by a seeded draw. Confidence is the winner's share of the strengths (Luce's rule).

    Costs `votes` verdicts for each of k (k - 1) / 2 pairs (twice as many with `both_orders`), all in flight together,
    and one more for each that cannot be read. The trace has matches and strengths, `rates` the invalid verdicts, the
    flips, and the matches without a winner.
    """

    name: ClassVar[str] = "round_robin"
    tells_confidence: ClassVar[bool] = True
    card: ClassVar[Card | None] = Card(
        calls="up to k (k - 1) / 2 by the judge, at once",
        use="a judge whose single verdicts err; a ranking, not only a winner",
        weakness="grows with the square of k; a judge's bias does not average out",
    )

    async def aggregate(self, ctx: Context) -> Decision:
        """The strongest candidate."""
        players = await self.contestants(ctx)
        ctx.rng.shuffle(players)  # whoever is first here goes first among equals
        pairs = list(combinations(players, 2))
        matches = await self.play(ctx, pairs, generators(ctx.rng, len(pairs)))
        games = [game for match in matches for game in _games(match, [player.index for player in players])]
        strengths = await asyncio.to_thread(bradley_terry, len(players), games)
        best = max(strengths)
        winner = players[next(i for i, strength in enumerate(strengths) if strength > best - 1e-6)]
        judged = [match for match in matches if match.votes is not None]
        return Decision(
            text=winner.text,
            chosen=winner.index,
            confidence=1 / math.fsum(math.exp(strength - best) for strength in strengths),
            trace={
                "strengths": [[one.index, round(value, 6)] for one, value in zip(players, strengths, strict=True)],
                "matches": [
                    {"a": match.a.index, "b": match.b.index, "votes": match.votes, "first": match.first}
                    for match in matches
                ],
            },
            rates=verdict_rates(matches) | {"undecided": (sum(match.lead == 0 for match in judged), len(judged))},
        )


def bradley_terry(players: int, games: Sequence[Game]) -> list[float]:
    """Log-strengths, on average 0, that maximise the log-likelihood of the games less the penalty.

    Each game counts as half, so that a tie can be one game won by each.
    """
    import choix

    # Halves of games and of their weight: twice the objective, with its maximum at the same place.
    found = choix.opt_pairwise(players, list(games), alpha=2 * PENALTY)
    return [float(strength) for strength in found]


def _games(match: Match, indices: Sequence[int]) -> list[Game]:
    a, b = indices.index(match.a.index), indices.index(match.b.index)
    if match.votes is None:
        return [(a, b), (b, a)]
    won = {"a": [(a, b)] * 2, "b": [(b, a)] * 2}
    return [game for vote in match.votes for game in won.get(str(vote), [(a, b), (b, a)])]
