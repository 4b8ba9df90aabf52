"""Scripts without a suffix as modules, so that a test can call what is in them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[1] / "scripts"


@contextmanager
def script(name: str) -> Iterator[ModuleType]:
    """The script of this name, loaded but not run."""
    loader = SourceFileLoader(name, str(SCRIPTS / name))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look for themselves there
    loader.exec_module(module)
    try:
        yield module
    finally:
        del sys.modules[name]
