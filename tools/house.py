"""The house drawn from its imports: which folder imports which, as a picture and as a table.

Belongs here: reading the imports (grimp, the reader that import-linter uses), laying the folders out, the SVG. Not
here: the rule that imports must keep (pyproject.toml, checked by `lint-imports`).

A box is a folder of a room, at most two folders deep; `files of X` are the modules directly in room X. An arrow
leads from a folder to one that it imports. An arrow that follows from two others is left out, so the picture changes
only when the order of the folders does. Folders that import each other are joined by a red line.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import grimp
import networkx as nx

from tools.declared import ROOMS, ROOT

WIDTH = 1160.0
BOX_HEIGHT, BOX_GAP, ROW_GAP = 30.0, 14.0, 40.0
PADDING, TITLE, FLOOR_GAP = 16.0, 46.0, 40.0
LETTER = 7.4  # pixels of a letter at the size of the boxes' text
DEPTH = 2


@dataclass(frozen=True)
class House:
    """Folders and their imports.

    Attributes:
        rooms: the imports between rooms; every room is a node.
        folders: per room, the imports between its folders.
    """

    rooms: "nx.DiGraph[str]"
    folders: dict[str, "nx.DiGraph[str]"]


@dataclass(frozen=True)
class Box:
    """Where a folder is drawn, in pixels from the top left corner."""

    x: float
    y: float
    width: float


def read(rooms: Sequence[str] = ROOMS, root: Path = ROOT) -> House:
    """The imports of all modules of the rooms, joined by folder; imports inside functions count."""
    graph = grimp.build_graph(*rooms, cache_dir=None)
    between: nx.DiGraph[str] = nx.DiGraph()
    between.add_nodes_from(rooms)
    folders: dict[str, nx.DiGraph[str]] = {room: nx.DiGraph() for room in rooms}
    for importer in sorted(graph.modules):
        room = importer.partition(".")[0]
        if not (root.joinpath(*importer.split(".")) / "__init__.py").is_file():
            folders[room].add_node(folder_of(importer, root))
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            other = imported.partition(".")[0]
            ends = folder_of(importer, root), folder_of(imported, root)
            if other != room:
                between.add_edge(room, other)
            elif ends[0] != ends[1]:
                folders[room].add_edge(*ends)
    return House(between, folders)


def folder_of(module: str, root: Path = ROOT) -> str:
    """The folder that a module is drawn in: its package, at most two below the room."""
    parts = module.split(".")
    package = parts if (root.joinpath(*parts) / "__init__.py").is_file() else parts[:-1]
    return "/".join(package[: DEPTH + 1])


def rooms_table(house: House) -> str:
    """Every folder with the first sentence of its docstring."""
    lines = ["| folder | what belongs here |", "|---|---|"]
    for floor in floors(house.rooms):
        for room in floor:
            for folder in sorted({room, *house.folders[room].nodes}):
                lines.append(f"| `{folder}/` | {_first_sentence(ROOT / folder)} |")
    return "\n".join(lines) + "\n"


def picture(house: House) -> str:
    """The house as an SVG, 1160 pixels wide."""
    parts: list[str] = []
    blocks: dict[str, tuple[float, float, float, float]] = {}
    top = PADDING
    for floor in floors(house.rooms):
        shares = _shares([_widest(house.folders[room], room) for room in floor])
        left, height = PADDING, 0.0
        drawn = []
        for room, width in zip(floor, shares, strict=True):
            inner, used = _room(house.folders[room], room, left, top, width)
            drawn.append((room, left, width, inner))
            height = max(height, used)
            left += width + FLOOR_GAP
        for room, x, width, inner in drawn:
            blocks[room] = (x, top, width, height)
            parts.append(_block(room, x, top, width, height))
            parts += inner
        top += height + FLOOR_GAP
    arrows = [_room_arrow(blocks[above], blocks[below]) for above, below in _reduced(house.rooms)]
    return _svg([*arrows, *parts], top - FLOOR_GAP + PADDING)


def floors(graph: "nx.DiGraph[str]") -> list[list[str]]:
    """Nodes by their distance from what nothing imports: each stands below everything that imports it."""
    condensed = nx.condensation(graph)
    level: dict[int, int] = {}
    for group in nx.topological_sort(condensed):
        level[group] = max((level[above] + 1 for above in condensed.predecessors(group)), default=0)
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for group, row in level.items():
        rows[row] += sorted(condensed.nodes[group]["members"])
    return [sorted(row) for row in rows]


def circles(graph: "nx.DiGraph[str]") -> list[tuple[str, str]]:
    """Pairs of nodes that are joined by an import and lie on one circle, each once, in the order of their names."""
    groups = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    return sorted({(min(edge), max(edge)) for group in groups for edge in graph.subgraph(group).edges})


def _reduced(graph: "nx.DiGraph[str]") -> list[tuple[str, str]]:
    """Imports that do not follow from others, circles left out."""
    condensed = nx.condensation(graph)
    reduced = nx.transitive_reduction(condensed)
    edges = []
    for a, b in reduced.edges:
        above, below = condensed.nodes[a]["members"], condensed.nodes[b]["members"]
        edges.append(min((x, y) for x, y in graph.edges if x in above and y in below))
    return sorted(edges)


def _label(folder: str, room: str) -> str:
    return f"files of {room}" if folder == room else folder.removeprefix(f"{room}/")


def _box_width(folder: str, room: str) -> float:
    return len(_label(folder, room)) * LETTER + 22


def _widest(graph: "nx.DiGraph[str]", room: str) -> float:
    rows = [sum(_box_width(folder, room) + BOX_GAP for folder in row) for row in floors(graph)]
    return max([*rows, len(room) * 11.0 + 60.0]) + 2 * PADDING


def _shares(wishes: Sequence[float]) -> list[float]:
    """Widths of rooms that stand side by side, in proportion to what they hold."""
    free = WIDTH - 2 * PADDING - FLOOR_GAP * (len(wishes) - 1)
    return [free * wish / sum(wishes) for wish in wishes]


def _room(graph: "nx.DiGraph[str]", room: str, x: float, y: float, width: float) -> tuple[list[str], float]:
    """The boxes and arrows inside a room, and the room's height."""
    boxes: dict[str, Box] = {}
    top = y + TITLE
    for floor in floors(graph):
        for row in _wrapped(floor, room, width - 2 * PADDING):
            used = sum(_box_width(folder, room) for folder in row) + BOX_GAP * (len(row) - 1)
            left = x + (width - used) / 2
            for folder in row:
                boxes[folder] = Box(left, top, _box_width(folder, room))
                left += boxes[folder].width + BOX_GAP
            top += BOX_HEIGHT + ROW_GAP
    parts = [_arrow(boxes[a], boxes[b]) for a, b in _reduced(graph)]
    parts += [_circle(boxes[a], boxes[b]) for a, b in circles(graph)]
    parts += [_box(_label(folder, room), box) for folder, box in boxes.items()]
    return parts, top - ROW_GAP + PADDING - y


def _wrapped(floor: Iterable[str], room: str, width: float) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    used = 0.0
    for folder in floor:
        wanted = _box_width(folder, room) + BOX_GAP
        if rows[-1] and used + wanted > width + BOX_GAP:
            rows.append([])
            used = 0.0
        rows[-1].append(folder)
        used += wanted
    return rows


def _box(label: str, box: Box) -> str:
    middle = f'x="{box.x + box.width / 2:.1f}" y="{box.y + BOX_HEIGHT / 2 + 4.5:.1f}"'
    return (
        f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{BOX_HEIGHT}" rx="5"/>'
        f'<text class="folder" {middle}>{escape(label)}</text>'
    )


def _block(room: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="room" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8"/>'
        f'<text class="title" x="{x + PADDING:.1f}" y="{y + 28:.1f}">{escape(room)}/</text>'
    )


def _arrow(above: Box, below: Box) -> str:
    x1, y1 = above.x + above.width / 2, above.y + BOX_HEIGHT
    x2, y2 = below.x + below.width / 2, below.y
    bend = (y2 - y1) / 2
    path = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2 - 2:.1f}"
    return f'<path class="arrow" d="{path}"/>'


def _circle(a: Box, b: Box) -> str:
    ends = (a.x + a.width / 2, a.y + BOX_HEIGHT / 2, b.x + b.width / 2, b.y + BOX_HEIGHT / 2)
    return '<line class="circle" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*ends)


def _room_arrow(above: tuple[float, float, float, float], below: tuple[float, float, float, float]) -> str:
    left, right = max(above[0], below[0]), min(above[0] + above[2], below[0] + below[2])
    x = (left + right) / 2
    return f'<path class="floor" d="M{x:.1f} {above[1] + above[3]:.1f} L{x:.1f} {below[1] - 3:.1f}"/>'


def _svg(parts: Iterable[str], height: float) -> str:
    body = "\n".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img">
<title>Folders of Selvedge and their imports; drawn by python -m tools.reference</title>
<style>
text {{ font-family: system-ui, sans-serif; fill: #20303c; }}
.title {{ font-size: 17px; font-weight: 600; }}
.folder {{ font-size: 13px; text-anchor: middle; }}
.room {{ fill: #eef2f4; stroke: #b7c4cc; }}
.box {{ fill: #ffffff; stroke: #64798a; }}
.arrow {{ fill: none; stroke: #64798a; stroke-width: 1.2; marker-end: url(#head); }}
.floor {{ fill: none; stroke: #20303c; stroke-width: 2; marker-end: url(#head); }}
.circle {{ stroke: #c0392b; stroke-width: 2.5; }}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"
markerUnits="userSpaceOnUse"><path d="M0 0 L8 4 L0 8 z" fill="#20303c"/></marker></defs>
<rect width="{WIDTH:.0f}" height="{height:.0f}" fill="#ffffff"/>
{body}
</svg>
"""


def _first_sentence(folder: Path) -> str:
    source = folder / "__init__.py"
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())
