"""A server in this process, over a ledger of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from pipeline.jobs import many
from pipeline.ledger.ledger import Ledger
from pipeline.web.guard import Rules
from pipeline.web.server import Served, application
from tests.cli.conftest import cache, clean, composite, launch, recpipe  # noqa: F401 - fixtures
from tests.web.sender import SECRET
from tests.web.serving import serving


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of the ledger."""
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Empty."""
    with Ledger(url) as made:
        yield made


@pytest.fixture
def asking(ledger: Ledger) -> Iterator[Callable[..., httpx.Client]]:
    """Browsers of a server that is made as these say."""
    with ExitStack() as stack:

        def client(*, secret: str = SECRET, rules: Rules | None = None) -> httpx.Client:
            rules = rules or Rules(rate=1e6, burst=1_000_000)
            app = application(Served(ledger, SecretStr(secret), many.opener(None), rules))
            return stack.enter_context(serving(app))

        yield client


@pytest.fixture
def browser(asking: Callable[..., httpx.Client]) -> httpx.Client:
    """Of a server as most have it."""
    return asking()
