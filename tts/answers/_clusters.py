"""How pairwise verdicts become equivalence classes."""

from collections.abc import Iterable, Sequence

from tts.vocabulary.clusters import Clusters, Conflict


def components(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Component of each of `count` nodes, named by its smallest member."""
    roots = list(range(count))

    def root(node: int) -> int:
        while roots[node] != node:
            roots[node] = roots[roots[node]]
            node = roots[node]
        return node

    for a, b in edges:
        low, high = sorted((root(a), root(b)))
        roots[high] = low
    return [root(node) for node in range(count)]


def assemble(answers: Sequence[str | None], classes: dict[str, int], conflicts: Iterable[Conflict]) -> Clusters:
    """Clusters in order of first appearance; `classes` gives the component of each answer."""
    numbers: dict[int, int] = {}
    labels: list[int | None] = []
    representatives: list[str] = []
    sizes: list[int] = []
    for answer in answers:
        if answer is None:
            labels.append(None)
            continue
        component = classes[answer]
        if component not in numbers:
            numbers[component] = len(numbers)
            representatives.append(answer)
            sizes.append(0)
        labels.append(numbers[component])
        sizes[numbers[component]] += 1
    return Clusters(tuple(labels), tuple(representatives), tuple(sizes), tuple(sorted(set(conflicts))))
