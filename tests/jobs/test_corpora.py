"""Real recordings nobody here made: every row of the corpora's INDEX.md.

They lie in the folder of RECPIPE_CORPUS, beside the repository by default, and are no part of it.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.model import Severity, Verdict
from tests import recordings as r

HERE = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("RECPIPE_CORPUS") or HERE.parent / "shared" / "corpora")
OK, REPAIRED, DEGRADED, REJECTED, PENDING = Verdict
GOOD, BAD = {OK, REPAIRED}, {DEGRADED, REJECTED}


class Expected(NamedTuple):
    """Verdicts that are right, samples by codec in an MP4, findings of which one is due."""

    verdicts: set
    samples: dict = {}  # noqa: RUF012
    ids: set = frozenset()
    seconds: float | None = None


SHAKA = "shaka-project+shaka-player/test/test/assets"
ANDROIDX = "androidx+media/libraries/test_data/src/test/assets/media"
BEE = "flutter+assets-for-api-docs/assets/videos/hls"
MUX = "videojs+mux.js/test/segments"
PUEMOS = "puemos+hls-downloader/src/background/test/fixtures"
LIVEPEER = "livepeer+catalyst-api"
EX_HLS = "membraneframework+ex_hls/test/fixtures"

ROWS = {
    "videojs+videojs-contrib-hls/utils/fixtures/prog_index.m3u8": Expected(
        {OK}, {"h264": 300, "aac": 431}, seconds=20.02
    ),
    f"{LIVEPEER}/test/fixtures/tiny.m3u8": Expected(
        {OK}, {"h264": 900, "aac": 1407}, seconds=30.016
    ),
    f"{LIVEPEER}/test/fixtures/rec-fallback-bucket/tiny.m3u8": Expected(
        {DEGRADED}, {"h264": 300, "aac": 469}, {"SEG_MISSING"}
    ),
    f"{SHAKA}/hls-ts-muxed-aac-h264/chunk.m3u8": Expected(
        {OK}, {"h264": 864, "aac": 1687}, seconds=36.0
    ),
    "ant-media+Ant-Media-Server/src/test/resources/test.m3u8": Expected(
        GOOD, {"h264": 718, "aac": 1237}, {"PL_EXTINF"}, 28.74
    ),
    f"{BEE}/bee.m3u8": Expected({OK}, {"h264": 121, "aac": 190}, seconds=4.059),
    f"{BEE}/derived_encrypted_bee_localkey.m3u8": Expected(
        {OK}, {"h264": 121, "aac": 190}, {"PL_KEY"}, 4.059
    ),
    f"{BEE}/bee_audio_only.m3u8": Expected({OK}, {"aac": 176}, seconds=4.087),
    f"{EX_HLS}/mpeg_ts_only_video/output_playlist.m3u8": Expected(
        {OK}, {"h264": 250}, seconds=10.002
    ),
    f"{EX_HLS}/mpeg_ts_live/output_playlist.m3u8": Expected({PENDING}, ids={"PL_NO_ENDLIST"}),
    f"{PUEMOS}/level-muxed.m3u8": Expected(
        {REPAIRED, DEGRADED}, {"h264": 363, "aac": 260}, {"DTS_BACK"}, 6.08
    ),
    f"{SHAKA}/hls-gap/playlist.m3u8": Expected({DEGRADED}, {"h264": 1440}, {"PL_GAP"}),
    "videojs+http-streaming/test/manifests/zeroLength.m3u8": Expected(BAD, {"h264": 2, "aac": 6}),
    f"{SHAKA}/hls-raw-aac/stream.m4a.m3u8": Expected({OK}, {"aac": 861}, seconds=39.985),
    f"{SHAKA}/hls-multivideo/derived_reschange.m3u8": Expected(
        {OK, REPAIRED, REJECTED}, {"h264": 240}, {"SPS_CHANGE"}
    ),
    "KaeeGH+hls-samples/hls-server/m3u8/m3u8/test2/test2.m3u8": Expected(
        {REJECTED}, ids={"PSI_MISSING", "NOT_TS"}
    ),
    "kim-company+kim_mpeg_ts/test/data/rollover.ts": Expected({OK}, {"h264": 20}, seconds=20.0),
    "kim-company+kim_mpeg_ts/test/data/broken.ts": Expected(BAD, {"h264": 6, "aac": 5}),
    "livepeer+lpms/data/zero-frame.ts": Expected(
        {OK, REPAIRED, DEGRADED}, {"aac": 72}, {"ES_ABSENT"}, 1.67
    ),
    "livepeer+lpms/data/skip_1.ts": Expected(
        {OK, REPAIRED, DEGRADED, REJECTED}, {"h264": 171}, seconds=5.706
    ),
    f"{MUX}/test-no-audio-segment.ts": Expected(
        {OK, REPAIRED, DEGRADED}, {"h264": 134}, {"ES_ABSENT"}, 8.933
    ),
    f"{MUX}/test-middle-pat-pmt.ts": Expected(
        {OK, REPAIRED, DEGRADED}, {"h264": 15, "aac": 28}, seconds=0.65
    ),
    f"{MUX}/multi-channel-608-captions.ts": Expected({OK}, {"h264": 181}, seconds=6.04),
    f"{ANDROIDX}/ts/sample_with_junk": Expected(BAD),
    f"{ANDROIDX}/ts/sample_h265.ts": Expected({OK}, {"hevc": 30}),
    f"{ANDROIDX}/ts/sample_ac3.ts": Expected({DEGRADED}, {"aac": 15}, {"DECODE"}),
    f"{ANDROIDX}/ts/sample_latm.ts": Expected({REPAIRED}, {"aac": 11}, {"ES_CODEC"}),
    f"{SHAKA}/id3-metadata.ts": Expected({OK}, {"aac": 117}, seconds=4.992),
    "small-teton+mpeg-ts-analyzer/sample_data/"
    "sample_192byte_video_mpeg2_320x240_25fps_audio_mp2_48000Hz.ts": Expected({REJECTED}),
    "Eyevinn+mp2ts-tools/internal/testdata/avc_with_time.ts": Expected(
        {OK, REPAIRED, DEGRADED, REJECTED}, {"h264": 10}, {"NO_KEY_AT_START", "ES_CODEC"}
    ),
    f"{PUEMOS}/muxed-with-data-stream.ts": Expected(
        {OK, REPAIRED, DEGRADED, REJECTED}, {"h264": 96, "aac": 190 + 33}
    ),
    "tsduck+tsduck-test/input/test-049.ts": Expected({REJECTED}, ids={"PSI_MISSING"}),
    "webmproject+libwebm/testing/testdata/bbb_480p_vp9_opus_1second.webm": Expected(
        {OK}, {"vp9": 24, "opus": 51}
    ),
    f"{ANDROIDX}/mkv/bbb_1ch_48kHz_q10_opus.webm": Expected({OK}, {"opus": 151}),
    f"{LIVEPEER}/video/fixtures/webm_vp9.webm": Expected({OK}, {"vp9": 30}),
    f"{ANDROIDX}/vp9/invalid-bitstream.webm": Expected(BAD),
}

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpora in {CORPUS}")


def test_every_row_is_expected():
    index = (CORPUS / "INDEX.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (?:VOD|file) \| `([^`]+)`", index, re.MULTILINE)
    assert sorted(listed) == sorted(ROWS)


@pytest.mark.parametrize("path", ROWS)
def test_outcome(library, tmp_path, path):
    expected = ROWS[path]
    report = r.convert(CORPUS / path, tmp_path / "out", library.ffmpeg)
    checked = r.check(CORPUS / path)
    said = r.said(report)
    assert report.verdict in expected.verdicts, said
    found = {f.id for f in report.findings}
    # what cannot be decoded is found where it has to be
    same = checked.verdict is report.verdict or "DECODE" in found
    assert same, f"{said}\n{r.said(checked)}"
    assert not expected.ids or found & expected.ids, said
    if report.verdict is REJECTED:
        assert any(f.severity is Severity.FATAL for f in report.findings)
        assert report.output is None
        assert not list((tmp_path / "out").glob("*.mp4"))
    if report.output is None:
        return
    assert report.proof.holds, said
    made = {}
    for track in report.tracks:
        made[track.codec] = made.get(track.codec, 0) + track.samples
    if "aac" in made:
        made["aac"] -= report.proof.filled  # silence
    for codec, count in expected.samples.items():
        # one packet at a cut end may be left out; a clean one holds all
        slack = 0 if report.verdict is OK else 1
        assert abs(made.get(codec, 0) - count) <= slack, f"{made}\n{said}"
    if expected.seconds:
        assert report.duration == pytest.approx(expected.seconds, abs=0.06), said
