"""How the code reads, in numbers: functions, arguments, names, docstrings.

    python -m benchmarks.house [--src DIR] [--before DIR]

`--before`: the sources of an earlier state, for a second column."""

import argparse
import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SOURCES = Path(__file__).parents[1] / "src" / "muonkit"
DOCSTRING = {
    "shapes": re.compile(r"\((n|k|m|\d+|[a-z_]+ ?\+ ?\d)(, ?[\w+ ]*)*\)|\bper (track|muon|row|cell|bin|hit|layer)\b"),
    "units": re.compile(r"\[[^\]]*(cm|GeV|rad|ns|T\b|tesla|mm|g/)[^\]]*\]|\b(cm|GeV|rad|ns|tesla|sigma)\b"),
    "errors": re.compile(r"\bRaises?\b"),
    "source": re.compile(r"\b(eq|equation|equations|section|sec|slides?|PDG|Muid|ACTS|Geant4)\b|\d{4}|\([\d.]+\)"),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A file, its tree, and whether it holds compiled loops."""

    path: Path
    tree: ast.Module

    @property
    def compiled(self) -> bool:
        return self.path.stem == "kernels" or "kernels" in self.path.parts

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def public(self) -> Iterator[Function]:
        """Functions and methods without an underscore, at the top or in a class that has none."""
        for node in self.tree.body:
            inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
            yield from (each for each in inside if isinstance(each, Function) and not each.name.startswith("_"))


def modules(folder: Path) -> list[Module]:
    """All Python files below a folder."""
    return [Module(path.relative_to(folder), ast.parse(path.read_text())) for path in sorted(folder.rglob("*.py"))]


def arguments(function: Function) -> list[str]:
    """Names of the parameters, without self."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [each.arg for each in every if each.arg not in ("self", "cls")]


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def measure(folder: Path) -> dict[str, float]:
    """Name of a figure -> its value."""
    found = modules(folder)
    every = [function for module in found for function in module.functions()]
    kernels = [function for module in found if module.compiled for function in module.functions()]
    public = [function for module in found if not module.compiled for function in module.public()]
    lines = [length(function) for function in every]
    numbers = [len(arguments(function)) for function in kernels]
    return {
        "files": len(found),
        "longest file [lines]": max(len((folder / module.path).read_text().splitlines()) for module in found),
        "functions": len(every),
        "median length [lines]": median(lines),
        "functions over 45 lines": sum(line > 45 for line in lines),
        "kernel functions": len(kernels),
        "most arguments of a kernel": max(numbers),
        "kernels with more than 8 arguments": sum(number > 8 for number in numbers),
        "one-letter parameters of kernels": sum(len(name) == 1 for each in kernels for name in arguments(each)),
        "class names in several modules": repeated(found, ast.ClassDef),
        "functions that return dict[str, Any]": sum(returns(each, "dict[str, Any]") for each in every),
        **{f"public docstrings with {what} [%]": share(public, what) for what in DOCSTRING},
    }


def repeated(found: list[Module], kind: type[ast.ClassDef]) -> int:
    """Names of classes that several modules define."""
    places = defaultdict(set)
    for module in found:
        for node in module.tree.body:
            if isinstance(node, kind):
                places[node.name].add(module.path)
    return sum(len(paths) > 1 for paths in places.values())


def returns(function: Function, annotation: str) -> bool:
    """Whether a function says that it returns this."""
    return function.returns is not None and ast.unparse(function.returns) == annotation


def share(public: list[Function], what: str) -> float:
    """Per cent of the public functions whose docstring has something of this kind."""
    said = Counter(bool(DOCSTRING[what].search(ast.get_docstring(function) or "")) for function in public)
    return round(100 * said[True] / max(said.total(), 1), 1)


def main() -> None:
    """Print the table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--src", type=Path, default=SOURCES)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--quick", action="store_true", help="the same; it is quick")
    options = parser.parse_args()
    now = measure(options.src)
    before = measure(options.before) if options.before else {}
    for name, value in now.items():
        print(f"{name:42}" + (f"{before[name]:10g}" if before else "") + f"{value:10g}")
    print(json.dumps({"name": "house", "ours": now, "theirs": before or None, "ratio": None, "unit": "see names"}))


if __name__ == "__main__":
    main()
