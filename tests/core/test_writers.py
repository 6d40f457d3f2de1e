"""Whatever writes a file does so inside of `atomic`, or is listed here with the reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import muonkit

SOURCES = Path(muonkit.__file__).parent
WRITERS = {"write_text", "write_bytes", "savefig", "savez", "savez_compressed", "save", "tofile", "savetxt"}
WRITERS |= {"ParquetWriter", "CSVWriter", "output_stream", "to_parquet", "to_csv", "to_json_file", "recreate", "create"}
WRITERS |= {"rename", "symlink_to", "hardlink_to", "copy", "copyfile", "copytree", "move", "mkstemp", "dump"}
MODULES = {"np", "numpy", "pq", "pc", "pa", "uproot", "shutil", "os", "tempfile", "json", "figure", "plt"}
OWN = {"save", "create", "copy", "rename", "move", "dump"}  # names that other objects have too: only of MODULES
KNOWN = {
    # the mechanism itself; `settle` renames
    "core/files.py": {"settle"},
    # into the temporary file of their caller
    "io/tables.py": {"_parquet", "_csv", "_root"},
    "io/copying.py": {"parquet_file", "_text_to"},
    "io/basf2/maps.py": {"_to_root"},
    "io/copying_root.py": {"root_file", "_type_can_be_written"},
    # into memory
    "run/checkpoint.py": {"save"},
    "muid/likelihood/payload.py": {"to_bytes"},
    "report/style.py": {"_encoded"},
    # a part that is continued after an interruption, verified, then settled
    "io/opendata.py": {"_complete"},
    # synchronised and renamed on their own: the store is shared by machines
    "conditions/files.py": {"_write_whole"},
    # into a scratch folder
    "simulation/geant4/engine.py": {"launch"},
    "simulation/geant4/serve.py": {"serve"},
    # opens os.devnull for a stream that is closed
    "core/streams.py": {"prepare_streams"},
}


def is_writer(call: ast.Call) -> bool:
    """Whether a call opens a file for writing, writes or renames one."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in {"open", "fdopen"}:
        parts = [part for each in (*call.args, *call.keywords) for part in ast.walk(each)]
        modes = [part.value for part in parts if isinstance(part, ast.Constant)]
        return any(isinstance(mode, str) and len(mode) < 4 and set(mode) & set("wax+") for mode in modes)
    owner = call.func.value.id if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) else ""
    if name == "replace":  # of a path: one argument; of a text: two
        return (len(call.args) == 1 and not call.keywords and isinstance(call.args[0], ast.Name)) or owner == "os"
    # a bare write_text is that of core.files
    return isinstance(call.func, ast.Attribute) and name in WRITERS and (name not in OWN or owner in MODULES)


def is_atomic(node: ast.AST) -> bool:
    """Whether a statement is `with atomic(...)`."""
    return isinstance(node, ast.With) and any(
        isinstance(item.context_expr, ast.Call) and getattr(item.context_expr.func, "id", "") == "atomic"
        for item in node.items
    )


def loose_writers(node: ast.AST, function: str = "", inside: bool = False) -> Iterator[str]:
    """Functions that write outside of an atomic block."""
    if isinstance(node, ast.FunctionDef):
        function = node.name
    inside = inside or is_atomic(node)
    if isinstance(node, ast.Call) and is_writer(node) and not inside:
        yield function
    for child in ast.iter_child_nodes(node):
        yield from loose_writers(child, function, inside)


def test_every_writer_is_atomic_or_known() -> None:
    found = {
        str(path.relative_to(SOURCES)): set(loose_writers(ast.parse(path.read_text())))
        for path in sorted(SOURCES.rglob("*.py"))
    }
    assert {name: functions for name, functions in found.items() if functions} == KNOWN


@pytest.mark.parametrize(
    "text",
    [
        "def f(p):\n p.write_text('x')",
        "def f(p):\n with open(p, 'w') as s: s.write('x')",
        "def f(p):\n with p.open('ab' if p else 'wb') as s: s.write(b'x')",
        "def f(p):\n with uproot.recreate(p) as s: pass",
        "def f(p):\n np.save(p, 3)",
        "def f(p, q):\n p.replace(q)",
    ],
)
def test_a_loose_writer_is_found(text: str) -> None:
    assert set(loose_writers(ast.parse(text))) == {"f"}
    body = text.split("\n", 1)[1].strip()
    assert not set(loose_writers(ast.parse(f"def f(p, q):\n with atomic(p) as t:\n  {body}")))
