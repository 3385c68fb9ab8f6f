"""The house's rules, read from the source: imports go down only, each package in its home, small files with names that say something."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
APP = PROJECT / "app"
FILES = sorted(APP.rglob("*.py"))

FLOORS = {
    "model": 0,
    "wire": 1, "stats": 1, "link": 1,
    "flow": 2, "dpi": 2,
    "enrich": 3, "detect": 3,
    "capture": 4, "attribution": 4, "host": 4, "probe": 4, "dissect": 4,
    "export": 4,
    "sensor": 5, "store": 5,
    "services": 6,
    "security": 7,
    "api": 8, "live": 8, "terminal": 8,
}  # fmt: skip
# Beside the floors; what they may import is said below where it matters.
SIDE_STAIRS = {
    "allocation",
    "concurrency",
    "launcher",
    "privileges",
    "broker",
    "kernel_cache",
    "native",
    "server",
    "__main__",
    "__init__",
}
# A command is a process of its own: it opens what needs rights like the broker, and gives the rights up like the launcher.
COMMANDS = {"capture/opening.py", "terminal/program_names.py"}
MAX_LINES = 400
MAX_KERNEL_LINES = 450  # a loop over packets is one function, its state are its local variables
BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "core", "manager", "misc"}
STDLIB_ONLY = (
    "allocation.py",
    "broker/",
    "launcher.py",
    "privileges.py",
    "kernel_cache.py",
    "model/",
    "link/handover.py",
    "link/frames.py",
    # the broker's side of naming programs; `asker` and `polling` run in the sensor
    "attribution/__init__.py",
    "attribution/other_namespaces.py",
    "attribution/process_records.py",
    "attribution/questions.py",
    "attribution/resolver.py",
    "attribution/responder.py",
    "attribution/sock_diag.py",
    "attribution/socket_holders.py",
    "attribution/task_table.py",
    "attribution/trace_book.py",
    "attribution/trace_pages.py",
    "attribution/tracefs.py",
)
HOMES = {
    "eventlet": ("concurrency.py",),
    "numba": ("native/", "wire/", "flow/", "stats/", "capture/", "sensor/"),
    "llvmlite": ("native/", "wire/", "flow/", "stats/", "capture/", "sensor/"),
    "duckdb": ("store/database.py", "store/reading.py", "store/__main__.py"),
    "scapy": ("dissect/", "capture/"),
    "flask": ("__init__.py", "server.py", "api/", "live/", "security/"),
    "flask_socketio": ("__init__.py", "server.py", "live/"),
    "psutil": ("host/", "attribution/"),
    "requests": ("probe/",),
    "ping3": ("probe/",),
    "dns": ("probe/",),
    "rich": ("terminal/",),
}


def name_of(path):
    return path.relative_to(APP).as_posix()


def imports(path):
    """(module, line, whether only for type checking) of every import in a file, relative ones resolved."""
    tree = ast.parse(path.read_text(), str(path))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            found = [node.module]
            if node.module == "app":
                found = [f"app.{alias.name}" for alias in node.names]
        else:
            continue
        for module in found:
            yield module, node.lineno, id(node) in for_types


def room(module):
    """`app.wire.decode` → `wire`."""
    return module.split(".")[1] if module.startswith("app.") else None


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down(path):
    own = path.relative_to(APP).parts[0].removesuffix(".py")
    assert own in FLOORS or own in SIDE_STAIRS, f"{own} has no floor"
    if own not in FLOORS:
        return
    for module, line, _ in imports(path):
        other = room(module)
        if other == "broker" and name_of(path) in COMMANDS:
            continue
        if other is None or other == own or other in SIDE_STAIRS - {"server", "__main__", "launcher", "broker"}:
            continue
        assert other in FLOORS, f"{name_of(path)}:{line} imports {module}, which no floor may"
        assert FLOORS[other] < FLOORS[own], f"{name_of(path)}:{line} imports {module} from floor {FLOORS[other]}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_packages_are_at_home(path):
    name = name_of(path)
    for module, line, for_types in imports(path):
        top = module.split(".")[0]
        if top in HOMES and not for_types:
            assert name.startswith(HOMES[top]), f"{name}:{line} imports {top}; its home is {', '.join(HOMES[top])}"
        if top == "numba":
            assert "kernel" in path.stem or name.startswith("native/"), f"{name}:{line}: numba only in kernels"


@pytest.mark.parametrize("path", [path for path in FILES if name_of(path).startswith(STDLIB_ONLY)], ids=name_of)
def test_what_runs_with_privileges_is_standard_library_only(path):
    for module, line, for_types in imports(path):
        top = module.split(".")[0]
        known = top in sys.stdlib_module_names or module.startswith(("app.", "config")) or top == "__future__"
        assert known, f"{name_of(path)}:{line} imports {module}"
        if room(module) and not for_types and not name_of(path).startswith(("model/", "link/")):
            reached = name_of(APP / Path(*module.split(".")[1:]))
            assert f"{reached}.py".startswith(STDLIB_ONLY) or f"{reached}/".startswith(STDLIB_ONLY), (
                f"{name_of(path)}:{line} imports {module}"
            )


def test_native_knows_kernels_by_name_only():
    for path in FILES:
        if name_of(path).startswith("native/"):
            for module, line, _ in imports(path):
                assert room(module) in (None, "native", "model", "kernel_cache", "privileges"), (
                    f"{name_of(path)}:{line}"
                )


def test_web_and_sensor_are_strangers():
    for path in FILES:
        own = path.relative_to(APP).parts[0]
        for module, line, _ in imports(path):
            if own in ("services", "security", "api", "live"):
                assert room(module) not in ("capture", "sensor", "attribution", "probe", "dissect"), (
                    f"{name_of(path)}:{line} imports {module}"
                )
            if own == "sensor":
                assert room(module) not in ("services", "store", "probe"), f"{name_of(path)}:{line} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_small_files_with_names(path):
    lines = path.read_text().count("\n")
    assert lines <= (MAX_KERNEL_LINES if "kernels" in path.stem else MAX_LINES), f"{name_of(path)} has {lines} lines"
    assert not BANNED_NAMES & set(path.relative_to(APP).with_suffix("").parts)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_say_what_they_own(path):
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{name_of(path)} has no docstring"


def test_the_environment_is_read_in_one_place():
    """Settings come from config.py. Others may hand the environment on, or ask who called sudo."""
    allowed = COMMANDS | {
        "launcher.py",
        "terminal/command.py",
        "broker/",
        "sensor/__main__.py",
        "sensor/analyze.py",
        "kernel_cache.py",
        "concurrency.py",  # tells eventlet what it reads there
    }
    for path in FILES:
        tree = ast.parse(path.read_text())
        uses = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and node.attr in ("environ", "getenv")
            and ast.dump(node.value).startswith("Name(id='os'")
        ]
        if uses and not name_of(path).startswith(tuple(allowed)):
            pytest.fail(f"{name_of(path)}:{uses[0].lineno} reads the environment")


def test_privileged_code_runs_without_any_package():
    code = "import sys; sys.path.insert(0, sys.argv[1]); import app.broker.__main__, app.launcher; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, PROJECT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not {"flask", "numpy", "msgpack", "eventlet"} & set(done.stdout.split())
