r"""How pairwise verdicts become equivalence classes that honour known differences.

A class grows from the answer that equals most votes: it takes in what equals a member and is known to differ from none,
heaviest first. So `50\%`, which equals `0.5` and `50`, joins the one that more candidates gave, and a bridge merges
nothing. Nothing hangs on the order of the answers.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tts.vocabulary.clusters import Clusters, Conflict


class Graph(NamedTuple):
    """What is known of distinct answers: `node_of` each, a spelling for each node, which nodes are equal.

    Nodes that are neither equal nor among `undecided` are different.
    """

    node_of: dict[str, int]
    names: list[str]
    equal: list[set[int]]
    undecided: frozenset[tuple[int, int]]
    asymmetric: tuple[tuple[int, int], ...]


def grouped(graph: Graph, weights: Sequence[int]) -> list[int]:
    """The class of each node; `weights` says how many answers stand behind it."""
    classes = [-1] * len(weights)
    support = [weights[node] + sum(weights[other] for other in graph.equal[node]) for node in range(len(weights))]
    for seed in sorted(range(len(weights)), key=lambda node: (-support[node], -weights[node], graph.names[node])):
        if classes[seed] >= 0:
            continue
        members = {seed}
        waiting = {other for other in graph.equal[seed] if classes[other] < 0}
        while waiting:
            node = max(
                waiting, key=lambda one: (_backing(graph, one, members, weights), weights[one], _late(graph, one))
            )
            waiting.discard(node)
            if not any(_apart(graph, node, member) for member in members):
                members.add(node)
                waiting |= {other for other in graph.equal[node] if classes[other] < 0 and other not in members}
                waiting -= {other for other in waiting if any(_apart(graph, other, member) for member in members)}
        for member in members:
            classes[member] = seed
    return classes


def _backing(graph: Graph, node: int, members: set[int], weights: Sequence[int]) -> int:
    return sum(weights[other] for other in graph.equal[node] & members)


def _late(graph: Graph, node: int) -> tuple[int, ...]:
    """Sorts names backwards, so that the first of equals is the largest."""
    return tuple(-ord(sign) for sign in graph.names[node])


def _apart(graph: Graph, a: int, b: int) -> bool:
    return a != b and b not in graph.equal[a] and (min(a, b), max(a, b)) not in graph.undecided


def assemble(answers: Sequence[str | None], graph: Graph) -> Clusters:
    """Clusters in order of first appearance; the member that equals most others of its class speaks for it."""
    weights = [0] * len(graph.names)
    for answer in answers:
        if answer is not None:
            weights[graph.node_of[answer]] += 1
    classes = grouped(graph, weights)
    numbers: dict[int, int] = {}
    labels: list[int | None] = []
    members: list[list[str]] = []
    for answer in answers:
        if answer is None:
            labels.append(None)
            continue
        number = numbers.setdefault(classes[graph.node_of[answer]], len(numbers))
        labels.append(number)
        if number == len(members):
            members.append([])
        members[number].append(answer)
    speakers = tuple(_speaker(graph, one, weights, classes) for one in members)
    return Clusters(tuple(labels), speakers, tuple(map(len, members)), tuple(sorted(set(_conflicts(graph, classes)))))


def _speaker(graph: Graph, members: Sequence[str], weights: Sequence[int], classes: Sequence[int]) -> str:
    def equals(answer: str) -> int:
        node = graph.node_of[answer]
        others = sum(weights[other] for other in graph.equal[node] if classes[other] == classes[node])
        return weights[node] + others

    return max(members, key=equals)  # the first of equals


def _conflicts(graph: Graph, classes: Sequence[int]) -> Iterable[Conflict]:
    names = graph.names
    for a, others in enumerate(graph.equal):
        for b in others:
            if a < b and classes[a] != classes[b]:
                yield Conflict("intransitive", names[a], names[b])
    for a, b in graph.asymmetric:
        yield Conflict("asymmetric", names[a], names[b])
    for a, b in graph.undecided:
        yield Conflict("undecided", names[a], names[b])
