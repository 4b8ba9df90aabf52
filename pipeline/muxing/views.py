"""Which pictures an encoder is shown and how they are turned, as filters of ffmpeg."""

import math

from msgspec import Struct

TURNS = {0: "", 90: "transpose=clock,", 180: "hflip,vflip,", 270: "transpose=cclock,"}


class View(Struct, frozen=True):
    """Pictures that are turned so many degrees clockwise: all of them, or those from one time to
    another, in seconds behind the first.
    """

    turned: int
    begin: float = 0.0
    end: float = math.inf


UPRIGHT = View(0)


class Thinned(Struct, frozen=True):
    """How far apart pictures are to be, and by how much each may be early or late; in seconds, as
    ``media/slots/thinned`` has it.
    """

    step: float
    early: float
    late: float


def seen(view: View, thinned: Thinned | None) -> str:
    """The filters in front of all others, each with a comma behind it; empty for what stays."""
    return _which(view) + _thinning(thinned) + TURNS[view.turned]


def _which(view: View) -> str:
    """The filter that leaves other pictures out."""
    bounds = [rf"gte(t-start_t\,{view.begin:.6f})"] if view.begin else []
    bounds += [rf"lt(t-start_t\,{view.end:.6f})"] if view.end < math.inf else []
    return f"select={'*'.join(bounds)}," if bounds else ""


def _thinning(thinned: Thinned | None) -> str:
    """The filter that leaves out pictures which come too soon behind others."""
    if thinned is None:
        return ""
    at, due = "t-start_t", "ld(0)"
    late = rf"if(gt({at}\,{due}+{thinned.late:.9f})\,{at}\,{due})"
    stays = rf"1+0*st(0\,{late}+{thinned.step:.9f})"
    return rf"select=if(gte({at}\,{due}-{thinned.early:.9f})\,{stays}\,0),"
