"""The rooms of this repository with the arrows between them, read from the imports of its sources.

    python docs/structure.py            print rooms, arrows, circles; exit status 1 where there is a circle
    python docs/structure.py --write    also draw docs/assets/house.svg anew

When the site is built it fills the tables of rooms in docs/structure.md. A room is a folder of a package; what lies
beside the folders is a room for each file. An arrow is an import, wherever in a file it stands. The picture leaves out
arrows that others imply: where a uses b and b uses c, that from a to c.
"""

from __future__ import annotations

import ast
import math
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "assets" / "house.svg"
PACKAGES = {
    "tts": ROOT / "tts",
    "tts_strategies": ROOT / "strategies" / "tts_strategies",
    "tts_backends": ROOT / "backends" / "tts_backends",
    "tts_trainers": ROOT / "trainers" / "tts_trainers",
}
Graph = dict[str, set[str]]


class House(NamedTuple):
    """Modules by name with their files, and which module imports which."""

    files: dict[str, Path]
    imports: Graph


@cache
def house() -> House:
    """The house as it stands."""
    files = {
        _name(package, folder, path): path for package, folder in PACKAGES.items() for path in folder.rglob("*.py")
    }
    return House(files, {name: _imported(name, path, files) - {name} for name, path in sorted(files.items())})


def _name(package: str, folder: Path, path: Path) -> str:
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join((package, *(part for part in parts if part != "__init__")))


def _imported(name: str, path: Path, files: Mapping[str, Path]) -> set[str]:
    """What a module imports, with what its stub says that it loads later."""
    found = set()
    for source in filter(Path.is_file, (path, path.with_suffix(".pyi"))):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name} imports relatively"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in files else str(node.module) for one in inner}
    return found & files.keys()


def room_of(module: str) -> str:
    """The folder of a module, or the module itself where it lies beside the folders."""
    return ".".join(module.split(".")[:2])


def rooms(found: House) -> Graph:
    """Which room uses which."""
    graph: Graph = defaultdict(set)
    for module, used in found.imports.items():
        room = room_of(module)
        graph[room] |= {room_of(one) for one in used} - {room}
    return dict(graph)


def circles(graph: Graph) -> list[list[str]]:
    """The sets of nodes that reach each other (strongly connected, two or more)."""
    reach = {node: _reached(graph, node) for node in graph}
    found = {tuple(sorted({node} | {one for one in reach[node] if node in reach.get(one, ())})) for node in graph}
    return sorted(list(one) for one in found if len(one) > 1)


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph.get(node, ())
    return seen


def without_implied(graph: Graph) -> Graph:
    """The arrows that no other way implies."""
    return {
        node: {one for one in used if not any(one in _reached(graph, other) for other in used - {one})}
        for node, used in graph.items()
    }


def floors(graph: Graph) -> list[list[str]]:
    """The rooms from the ground up: each stands one floor above the highest that it uses."""
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            heights[room] = 1 + max((height(one) for one in graph.get(room, ())), default=-1)
        return heights[room]

    found: dict[int, list[str]] = defaultdict(list)
    for room in sorted(graph):
        found[height(room)].append(room)
    return [found[floor] for floor in sorted(found)]


def sentence(room: str, files: Mapping[str, Path]) -> str:
    """What a room says that it is for."""
    path = files[room]
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


# --- the page -----------------------------------------------------------------------------------

MARK = re.compile(r"<!-- rooms of (\w+) -->")
SMALL = {"tts.__main__", "tts._version", "tts.door"}  # files that are no room, left out
FLAT = {"tts_strategies"}  # a package of files is one room; docs/strategies.md has a row for each


def on_page_markdown(markdown: str, **_: object) -> str:
    """Hook of MkDocs, called with each page."""
    return MARK.sub(lambda mark: "\n".join(table(mark[1])), markdown)


def table(package: str) -> Iterator[str]:
    """A row for each room of a package, from the ground up."""
    found = house()
    graph = {room: used for room, used in rooms(found).items() if room not in SMALL}
    yield "| room | what it is for |\n| --- | --- |"
    for level in floors(graph):
        for room in level:
            if room == package or (room.startswith(f"{package}.") and package not in FLAT):
                said = sentence(room, found.files).replace("|", "\\|")
                path = found.files[room].relative_to(ROOT).as_posix()
                yield f"| `{path.removesuffix('__init__.py')}` | {said} |"


# --- the picture --------------------------------------------------------------------------------

WIDE, HIGH, GAP, RISE, EDGE = 168, 88, 22, 42, 12  # pixels: a room, what lies between two, the margin
LETTERS, LINES = 22, 4  # of a room's sentence: so many in a line, so many lines
PORT, LANE, MARGIN = 16, 6, 5  # between arrows of one room, between those that pass a floor, from them to a room
INKS = {"tts": "#1f5f8b", "tts_strategies": "#2a7a4b", "tts_backends": "#8a5a12", "tts_trainers": "#7a3b78"}


class Place(NamedTuple):
    """Where a room is drawn: its floor from the ground up, its left upper corner."""

    floor: int
    x: int
    y: int


def drawn(graph: Graph, files: Mapping[str, Path]) -> str:
    """The rooms as an SVG: what is used lies below what uses it."""
    shown = _gathered(graph)
    arrows = without_implied(shown)
    levels = _ordered(floors(shown), arrows)
    width = max(len(level) for level in levels) * (WIDE + GAP) - GAP + 2 * EDGE
    height = len(levels) * (HIGH + RISE) - RISE + 2 * EDGE
    places = {
        room: Place(
            floor,
            (width - len(level) * (WIDE + GAP) + GAP) // 2 + i * (WIDE + GAP),
            height - EDGE - HIGH - floor * (HIGH + RISE),
        )
        for floor, level in enumerate(levels)
        for i, room in enumerate(level)
    }
    lines = _arrows([(places[room], places[one]) for room in arrows for one in arrows[room]], width)
    tiles = [_tile(room, place, files) for room, place in sorted(places.items())]
    return "\n".join([_head(width, height), *lines, *tiles, "</svg>", ""])


def _gathered(graph: Graph) -> Graph:
    """The graph with each package of plugins as one room."""

    def shown(room: str) -> str:
        package = room.partition(".")[0]
        return room if package == "tts" else package

    found: Graph = defaultdict(set)
    for room, used in graph.items():
        if room not in SMALL:
            found[shown(room)] |= {shown(one) for one in used - SMALL} - {shown(room)}
    return dict(found)


def _ordered(levels: list[list[str]], arrows: Graph) -> list[list[str]]:
    """Each floor in the order of what its rooms use, so that arrows cross seldom."""
    place: dict[str, float] = {}
    for level in levels:
        level.sort(key=lambda room: (_mean(place[one] for one in arrows[room]), room))
        place |= {room: (i + 0.5) / len(level) for i, room in enumerate(level)}
    return levels


def _mean(numbers: Iterable[float]) -> float:
    found = list(numbers)
    return math.fsum(found) / len(found) if found else 0.5  # exact, whatever the order


def _head(width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">\n'
        "<title>The rooms of the library; arrows point to what a room uses</title>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#8a8f98"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" rx="10" fill="#fbfaf7"/>'
    )


def _arrows(pairs: list[tuple[Place, Place]], width: int) -> Iterator[str]:
    """A curve for each arrow; those of one room leave and arrive side by side, in the order of where they lead."""
    places = {place for pair in pairs for place in pair}
    taken: dict[int, set[int]] = defaultdict(set)  # where arrows pass a floor
    for start, end in sorted(pairs, key=lambda pair: (pair[0].floor - pair[1].floor, pair)):
        x = _port(start, [target for source, target in pairs if source == start], end)
        target = _port(end, [source for source, target in pairs if target == end], start)
        stops = [(x, start.y + HIGH)]
        for floor in range(start.floor - 1, end.floor, -1):
            level = [place for place in places if place.floor == floor]
            aim = stops[-1][0] + (target - stops[-1][0]) // (floor - end.floor + 1)
            lane = min(_lanes(level, width) - taken[floor], key=lambda one: (abs(one - aim), one))
            taken[floor].add(lane)
            stops += [(lane, level[0].y), (lane, level[0].y + HIGH)]
        yield _curve([*stops, (target, end.y - 2)])


def _port(place: Place, others: list[Place], other: Place) -> int:
    """Where on a room's edge the arrow from or to another room stands."""
    order = sorted(others, key=lambda one: (one.x, one.floor))
    return place.x + WIDE // 2 + PORT * (2 * order.index(other) - len(order) + 1) // 2


def _lanes(level: list[Place], width: int) -> set[int]:
    """Where a floor can be passed."""
    return {x for x in range(EDGE, width - EDGE, LANE) if all(not -MARGIN < x - p.x < WIDE + MARGIN for p in level)}


def _curve(stops: list[tuple[int, int]]) -> str:
    """Down through the stops: a bend from floor to floor, straight past the rooms of one."""
    (x, y), *rest = stops
    path = f"M{x} {y}"
    for number, (to, down) in enumerate(rest):
        path += f"V{down}" if number % 2 else f"C{x} {y + RISE // 2} {to} {down - RISE // 2} {to} {down}"
        x, y = to, down
    return f'<path d="{path}" fill="none" stroke="#8a8f98" stroke-width="1.3" marker-end="url(#tip)"/>'


def _tile(room: str, place: Place, files: Mapping[str, Path]) -> str:
    _, x, y = place
    ink = INKS[room.partition(".")[0]]
    said = sentence(room, files).partition(". ")[0].rstrip(".").replace("`", "")
    lines = textwrap.wrap(said, LETTERS, max_lines=LINES, placeholder=" …")
    words = "".join(
        f'<text x="{x + 10}" y="{y + 36 + 14 * i}" fill="#3c4048">{escape(line)}</text>' for i, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6" fill="#fff" stroke="{ink}" stroke-width="1.4"/>'
        f'<text x="{x + 10}" y="{y + 18}" font-size="14" font-weight="600" fill="{ink}">{escape(room)}</text>{words}'
    )


def main() -> int:
    """Print the house; 1 where it has a circle."""
    found = house()
    graph = rooms(found)
    tied = {"files": circles(found.imports), "rooms": circles(graph)}
    for room in sorted(graph):
        count = sum(room_of(module) == room for module in found.files)
        print(
            f"{room} ({count} file{'s' if count > 1 else ''}) -> {', '.join(sorted(graph[room])) or 'nothing of ours'}"
        )
    for kind, several in tied.items():
        print(f"\ncircles of {kind}: {len(several) or 'none'}")
        for one in several:
            print("  " + " <-> ".join(one))
    if any(tied.values()):
        return 1
    if "--write" in sys.argv:
        PICTURE.write_text(drawn(graph, found.files), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
