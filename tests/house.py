"""Checkers of the house rules: each takes a source text and returns complaints; test_house.py applies them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 7
MAX_DOOR_LINES = 100
"""A door in jobs/ parses and calls; `--help` texts take most of its lines."""

BANNED_NAMES = {"utils", "util", "common", "helpers", "misc", "tools"}
"""Names that say nothing: no reader can guess what lies there."""

DRAWING_FUNCTIONS = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"}
DRAWING_METHODS = {"normal_", "uniform_", "random_", "bernoulli_", "exponential_", "multinomial"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(source: str) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def long_file(source: str, limit: int = MAX_FILE_LINES) -> list[str]:
    lines = len(source.splitlines())
    return [f"{lines} lines, limit {limit}"] if lines > limit else []


def long_functions(source: str) -> list[str]:
    complaints = []
    for node in functions(source):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            complaints.append(f"{node.name}: {lines} lines, limit {MAX_FUNCTION_LINES}")
    return complaints


def many_parameters(source: str) -> list[str]:
    """Functions with too many parameters; constructors are exempt, `self` and `cls` do not count."""
    complaints = []
    for node in functions(source):
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if node.name != "__init__" and not _is_door(node) and count > MAX_PARAMETERS:
            complaints.append(f"{node.name}: {count} parameters, limit {MAX_PARAMETERS}")
    return complaints


def _is_door(node: Function) -> bool:
    """A function whose parameters are command-line options, by tyro's types: it is called by no code."""
    return "tyro." in ast.unparse(node.args)


def unannotated_returns(source: str) -> list[str]:
    return [f"{node.name}: no return annotation" for node in functions(source) if node.returns is None]


def missing_docstrings(source: str) -> list[str]:
    """The module and its public classes, functions and methods that have none; overloads and dunders are exempt."""
    tree = ast.parse(source)
    complaints = [] if ast.get_docstring(tree) else ["module: no docstring"]
    for name, node in _public(tree):
        if ast.get_docstring(node) is None:
            complaints.append(f"{name}: no docstring")
    return complaints


def _public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for node in tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if any(ast.unparse(each).endswith("overload") for each in node.decorator_list):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{prefix}{node.name}.")


def asserts(source: str) -> list[str]:
    nodes = ast.walk(ast.parse(source))
    return [f"line {node.lineno}: assert; raise an error instead" for node in nodes if isinstance(node, ast.Assert)]


def imported_modules(source: str) -> set[str]:
    """Dotted names of all modules imported anywhere in the source, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def forbidden_imports(source: str, forbidden: set[str]) -> list[str]:
    """Imports of the forbidden modules or of anything inside them."""
    complaints = []
    for name in sorted(imported_modules(source)):
        if any(name == each or name.startswith(f"{each}.") for each in forbidden):
            complaints.append(f"imports {name}")
    return complaints


def global_randomness(source: str) -> list[str]:
    """Random draws of torch that are not given a generator."""
    complaints = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, ast.unparse(node.func.value)
        draws = (owner == "torch" and name in DRAWING_FUNCTIONS) or name in DRAWING_METHODS
        if draws and "generator" not in {keyword.arg for keyword in node.keywords}:
            complaints.append(f"line {node.lineno}: {owner}.{name} without generator=")
        if name in {"manual_seed", "seed"} and owner in {"torch", "torch.cuda", "random", "np.random"}:
            complaints.append(f"line {node.lineno}: {owner}.{name} sets global state")
    return complaints


def workplace_traces(text: str) -> list[str]:
    """Paths of the machine that the text was written on, and hosts of package registries."""
    trace = re.compile(
        r"(?<![\w.$}-])/(?:work|root|home/\w+|Users/\w+|opt/(?:pypi|wheels))[-\w.]*/[\w.]"
        r"|/tmp/(?:venv|w)/"
        r"|pythonhosted\.org|pypi\.org/simple"
    )
    lines = enumerate(text.splitlines(), start=1)
    return [f"line {number}: {match.group()}" for number, line in lines if (match := trace.search(line))]
