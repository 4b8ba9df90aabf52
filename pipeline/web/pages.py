"""The pages: addresses in, HTML out.  The only module that imports Jinja2."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from pipeline.errors import NotFoundError, RecpipeError
from pipeline.jobs.output.destinations import Opener
from pipeline.ledger.browsing import Wanted
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from pipeline.model import Verdict
from pipeline.report.page import policy as report_policy
from pipeline.version import VERSION
from pipeline.web import views, words

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LONGEST = 300  # characters of a search
FOREVER = "public, max-age=31536000, immutable"  # the address changes with what is there
LARGEST = 2**53  # a number in an address, about what scripts can hold

Answer = Callable[[Request], Any]


class Pages:
    """Answers what browsers ask."""

    def __init__(self, ledger: Ledger, opened: Opener) -> None:
        self._ledger, self._opened = ledger, opened
        self._files = {
            path.name: (path.read_bytes(), TYPES[path.suffix])
            for path in (HERE / "static").iterdir()
            if path.suffix in TYPES
        }
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,  # every name may hold markup
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(words.FILTERS)
        self._environment.globals |= {
            **{"word": words.word, "tone": words.tone, "channel": words.channel},
            **{"lost": words.lost, "static": self._address, "link": link, "version": VERSION},
        }

    @property
    def routes(self) -> list[BaseRoute]:
        """Which address shows what."""
        return [
            Route("/", self._list),
            Route("/recordings/{number:int}", self._recording),
            Route("/recordings/{number:int}/report", self._report),
            Route("/throughput", partial(self._shown, "throughput.html", "/throughput")),
            Route("/runs", partial(self._shown, "runs.html", "/runs")),
            Route("/static/{name}", self._static),
        ]

    async def missing(self, request: Request, _: Exception) -> Response:
        """An address that there is not."""
        return await run_in_threadpool(
            self._error, request, 404, "Not found", "there is no such page"
        )

    def _address(self, name: str) -> str:
        digest = hashlib.sha256(self._files[name][0]).hexdigest()
        return f"/static/{name}?{digest[:12]}"

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        wanted = Wanted(
            asked.get("q", "")[:LONGEST].replace("\0", ""),
            _one_of(State, asked.get("state", "")),
            asked["verdict"] if asked.get("verdict") in set(Verdict) else "",
        )
        shown = partial(views.recordings, self._ledger, wanted, _number(asked.get("page", "1")))
        return await self._page(request, "recordings.html", "/", shown)

    async def _recording(self, request: Request) -> Response:
        number = min(request.path_params["number"], LARGEST)
        shown = partial(views.recording, self._ledger, number, self._opened)
        return await self._page(request, "recording.html", "/", shown)

    async def _report(self, request: Request) -> Response:
        """As ``recpipe report`` makes it: a page of its own, under a policy of its own."""
        number = min(request.path_params["number"], LARGEST)
        return await run_in_threadpool(self._reported, request, number)

    def _reported(self, request: Request, number: int) -> Response:
        try:
            text = views.report(self._ledger, number, self._opened)
        except RecpipeError as error:
            code = 404 if isinstance(error, NotFoundError) else 503
            return self._error(request, code, "There is no report", str(error))
        policy = f"{report_policy()}; frame-ancestors 'none'"
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    async def _shown(self, template: str, here: str, request: Request) -> Response:
        look = {"/throughput": views.throughput, "/runs": views.runs}[here]
        return await self._page(request, template, here, partial(look, self._ledger))

    async def _page(
        self, request: Request, template: str, here: str, shown: Callable[[], Mapping[str, Any]]
    ) -> Response:
        return await run_in_threadpool(self._rendered, request, template, here, shown)

    def _rendered(
        self, request: Request, template: str, here: str, shown: Callable[[], Mapping[str, Any]]
    ) -> Response:
        try:
            values = shown()
        except NotFoundError as error:
            return self._error(request, 404, "Not found", str(error))
        except RecpipeError as error:
            return self._error(request, 503, "The ledger does not answer", str(error))
        text = self._text(template, request, here=here, **values)
        return HTMLResponse(text)

    def _error(self, request: Request, code: int, title: str, said: str) -> Response:
        import time

        text = self._text("error.html", request, here="", title=title, said=said, now=time.time())
        return HTMLResponse(text, code)

    def _text(self, template: str, request: Request, **values: Any) -> str:
        user = request.scope.get("state", {}).get("user", "")
        return self._environment.get_template(template).render(user=user, **values)

    async def _static(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("no such file", 404)
        return Response(found[0], media_type=found[1], headers={"Cache-Control": FOREVER})


def link(search: str = "", state: str = "", verdict: str = "", page: int = 1) -> str:
    """The address of a list."""
    chosen = {"q": search, "state": state, "verdict": verdict, "page": page if page > 1 else ""}
    given = {name: value for name, value in chosen.items() if value}
    return f"/?{urlencode(given, errors='replace')}" if given else "/"


def _one_of(kind: type[State], text: str) -> State | None:
    return kind(text) if text in set(kind) else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else 1
