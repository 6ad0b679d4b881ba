"""The import graph of the library, the command line and the experiments, read from their source."""

import ast
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"recsys_ae": "recsys_ae", "recsys_ae_cli": "cli", "experiments": "experiments"}
Graph = Mapping[str, Set[str]]


def _modules() -> dict[str, Path]:
    modules = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            names = path.relative_to(ROOT / folder).with_suffix("").parts
            modules[".".join((package, *names)).removesuffix(".__init__")] = path
    return modules


MODULES = _modules()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(module: str) -> str | None:
    """Return a module's room: ``nn`` for ``recsys_ae.nn.rows``; None for the public packages, which have no room."""
    top, *folders = module.split(".")
    if top != "recsys_ae":
        return top.removeprefix("recsys_ae_")
    if not folders or folders == ["features"]:
        return None
    if folders[0] != "features":
        return folders[0]
    is_folder = len(folders) > 2 or MODULES[module].name == "__init__.py"
    return f"features.{folders[1]}" if is_folder else "features.encoder"


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _statements(node: ast.AST, *, run_on_import: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif not run_on_import or not (isinstance(child, ast.FunctionDef) or _is_for_type_checkers(child)):
            yield from _statements(child, run_on_import=run_on_import)


def _base(module: str, statement: ast.ImportFrom) -> str:
    """Return the absolute name of the package or module after ``from``."""
    if not statement.level:
        return statement.module or ""
    names = module.split(".")
    names = names[: len(names) - statement.level + (MODULES[module].name == "__init__.py")]
    return ".".join([*names, *([statement.module] if statement.module else [])])


@cache
def _exports(module: str) -> dict[str, str]:
    """Return the names that a package imports on demand, with the modules that hold them."""
    path = MODULES.get(module)
    if path is None or path.name != "__init__.py":
        return {}
    blocks = [node for node in tree_of(path).body if _is_for_type_checkers(node)]
    return {
        alias.asname or alias.name: _base(module, node)
        for block in blocks
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _next_to(module: str, name: str) -> str:
    """Return the full name of a file of the experiments; a script imports files of its folder and of the one above."""
    if not module.startswith("experiments."):
        return name
    folder = module.rsplit(".", 1)[0]
    return next((full for full in (f"{folder}.{name}", f"experiments.{name}") if full in MODULES), name)


def names_imported(module: str, *, run_on_import: bool = False) -> set[str]:
    """Return the full dotted names that a module imports anywhere, or only those imported with the module."""
    names: set[str] = set()
    for statement in _statements(tree_of(MODULES[module]), run_on_import=run_on_import):
        if isinstance(statement, ast.Import):
            names |= {_next_to(module, alias.name) for alias in statement.names}
            continue
        base = _next_to(module, _base(module, statement))
        for alias in statement.names:
            full = f"{base}.{alias.name}"
            # `from recsys_ae.nn import rows` imports the module `rows`; every other name comes with its module.
            names |= {full} if full in MODULES else {full, base, _exports(base).get(alias.name, base)}
    return names


def imports(module: str, *, run_on_import: bool = False) -> set[str]:
    """Return the modules of the project that a module imports."""
    return (names_imported(module, run_on_import=run_on_import) & set(MODULES)) - {module}


@cache
def _is_bare(module: str) -> bool:
    """Return True if a file holds nothing but its docstring."""
    return all(isinstance(node, ast.Expr) for node in tree_of(MODULES[module]).body)


def rooms() -> dict[str, set[str]]:
    """Return each room with the rooms that it imports."""
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        room = room_of(module)
        if room is not None:
            imported_rooms = {room_of(imported) for imported in imports(module)} - {room, None}
            graph.setdefault(room, set()).update(imported for imported in imported_rooms if imported)
    return graph


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach each other (the strongly connected components of two and more)."""
    reach = {node: _reached(graph, graph[node]) for node in graph}
    groups = {
        frozenset(target for target in reach[node] if node in reach[target]) for node in graph if node in reach[node]
    }
    return sorted(sorted(group) for group in groups)


def _reached(graph: Graph, start: Set[str]) -> set[str]:
    seen: set[str] = set()
    todo = set(start)
    while todo:
        node = todo.pop()
        seen.add(node)
        todo |= graph[node] - seen
    return seen


def files_needed_by(module: str) -> set[str]:
    """Return a module and all files that it imports at the top level, directly or not; empty files do not count."""
    graph = {name: imports(name, run_on_import=True) for name in MODULES}
    return {name for name in _reached(graph, {module}) if not _is_bare(name)}


def floors(graph: Graph) -> dict[str, int]:
    """Return the lowest floor on which each room could stand: one above the highest room that it imports."""
    heights: dict[str, int] = {}
    while len(heights) < len(graph):
        ready = [room for room in graph if room not in heights and graph[room] <= set(heights)]
        if not ready:
            raise ValueError(f"rooms that import each other: {circles(graph)}")
        heights |= {room: 1 + max((heights[below] for below in graph[room]), default=-1) for room in ready}
    return heights
