"""``check`` and ``convert`` say the same of a recording, and what may be made is made.

A finding of the proof (``M_...``) behind a plan that was made is a bug of the package, whatever the
source did.  The random trial and the simulator ask the same of theirs.
"""

import pytest

from pipeline.errors import RecpipeError
from pipeline.model import Verdict
from tests import recordings as r
from tests.jobs.test_corpora import CORPUS

MEDIA = (".m3u8", ".ts", ".aac", ".webm")
FILES = sorted(p for p in CORPUS.rglob("*") if p.suffix in MEDIA)

pytestmark = pytest.mark.skipif(not FILES, reason=f"no corpora in {CORPUS}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_every_file_of_the_corpora_also_alone(library, tmp_path, path):
    try:
        checked = r.check(path)
    except RecpipeError as error:
        with pytest.raises(type(error)):
            r.convert(path, tmp_path, library.ffmpeg)
        return
    report = r.convert(path, tmp_path, library.ffmpeg)
    said = f"{r.said(report)}\n{r.said(checked)}"
    assert not [f for f in report.findings if f.id.startswith("M_")], said
    made = report.verdict in (Verdict.OK, Verdict.REPAIRED, Verdict.DEGRADED)
    assert (report.output is not None) is made, said
    if not any(f.id == "DECODE" for f in report.findings):  # looking decodes nothing
        assert report.verdict is checked.verdict, said
        assert report.lost_seconds == checked.lost_seconds, said
