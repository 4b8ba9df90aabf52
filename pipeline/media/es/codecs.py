"""What is known of each codec a recording may carry.

What its bytes say is read by the module of its family; here stands which of them answers what.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from enum import Enum
from functools import partial

from msgspec import Struct

from pipeline.media.es import aac, adts, av1, avcc, nal, opus, sps, vpx
from pipeline.media.es.descriptions import Picture, Sound, sized
from pipeline.media.es.nal import AVC, HEVC_NAL, NalSyntax

NO_SOUND = Sound()


class Carriage(Enum):
    """How a transport stream carries access units."""

    NAL = "a byte stream of NAL units"  # ISO/IEC 13818-1 clauses 2.14 and 2.17
    ADTS = "frames behind headers; one may go on in the next PES"  # ISO/IEC 13818-7 clause 6.2
    UNIT = "one in each PES"  # ours, for what only other containers carry


class Codec(Struct, frozen=True, eq=False):
    """One codec; ``copied`` ones fit into MP4 as they are.

    ``config`` stands for what a decoder has to know of a stream, in the form of its family: an SPS,
    the fixed part of an ADTS header, or size and box of the other containers.
    """

    name: str
    kind: str  # "video" or "audio"
    copied: bool = False
    stream_type: int = 0  # in the PMT that is written (ISO/IEC 13818-1 Table 2-34)
    carriage: Carriage | None = None
    nal: NalSyntax | None = None

    # What the bytes of a PES, or of an access unit, say.
    config: Callable[[bytes], bytes | None] = lambda es: None
    config_name: str = "decoder configuration"
    is_key: Callable[[bytes], bool] = lambda es: True
    count: Callable[[bytes], int] = lambda es: 1  # access units in one PES
    stored: Callable[[bytes], bytes] = lambda unit: unit  # an access unit as MP4 has it
    set_identity: Callable[[bytes], tuple[int, int] | None] = lambda unit: None  # type, id of a set

    # What a configuration says.
    picture: Callable[[bytes], Picture | None] = lambda config: None
    sound: Callable[[bytes], Sound] = lambda config: NO_SOUND
    needs: Callable[[bytes], Hashable] = lambda config: config  # equal: one decoder follows both
    # a unit of silence and its ticks, as long as others if it can be
    silence: Callable[[bytes, float], tuple[bytes, float] | None] = lambda config, lasts: None
    longest_silence: int = 0  # ticks without a unit that are no loss

    # In other containers: what MP4 calls its samples, and the box that configures a decoder.
    mp4_entries: tuple[str, ...] = ()  # the second: parameter sets stay in the samples
    mp4_box: str = ""
    mp4_config: Callable[[bytes, Sequence[bytes]], bytes] | None = None  # with parameter sets
    mp4_sets: Callable[[bytes], avcc.Record] | None = None  # that such a box holds
    same_config: Callable[[bytes, bytes, Collection[bytes]], bool] = lambda *told: False
    # of such a box, size in pixels and seconds to skip: where the stream itself says nothing
    configured: Callable[[bytes, tuple[int, int], float], bytes] | None = None
    matroska: str = ""  # CodecID
    matroska_box: Callable[[bytes], bytes] = lambda private: private  # such a box of CodecPrivate

    def unit_ticks(self, config: bytes | None) -> float | None:
        """Ticks of 90 kHz an access unit lasts; None where they differ, or nothing says."""
        return self.sound(config).unit if config else None

    def describe(self, config: bytes | None) -> str:
        """Its name and what a configuration says, for people: "h264 1280x720", "aac 48000 Hz, 2
        channels".
        """
        if config is None:
            return self.name
        if self.kind == "audio":
            heard = self.sound(config)
            return f"{self.name} {heard.rate} Hz, {heard.channels} channels"
        shown = self.picture(config)
        return f"{self.name} {shown.width}x{shown.height}" if shown else self.name


H264 = Codec(
    "h264",
    "video",
    copied=True,
    stream_type=0x1B,
    carriage=Carriage.NAL,
    nal=AVC,
    config=partial(nal.first_sps, syntax=AVC),
    config_name="SPS",
    is_key=partial(nal.is_key, syntax=AVC),
    count=partial(nal.pictures, syntax=AVC),
    set_identity=sps.avc_identity,
    picture=sps.avc_picture,
    needs=sps.avc_needs,
    mp4_entries=("avc1", "avc3"),
    mp4_box="avcC",
    mp4_config=avcc.avcc,
    mp4_sets=avcc.read_avcc,
    same_config=avcc.same_avcc,
    matroska="V_MPEG4/ISO/AVC",
)
HEVC = Codec(
    "hevc",
    "video",
    copied=True,
    stream_type=0x24,
    carriage=Carriage.NAL,
    nal=HEVC_NAL,
    config=partial(nal.first_sps, syntax=HEVC_NAL),
    config_name="SPS",
    is_key=partial(nal.is_key, syntax=HEVC_NAL),
    count=partial(nal.pictures, syntax=HEVC_NAL),
    set_identity=sps.hevc_identity,
    picture=sps.hevc_picture,
    needs=sps.hevc_needs,
    mp4_entries=("hvc1", "hev1"),
    mp4_box="hvcC",
    mp4_sets=avcc.read_hvcc,
    same_config=avcc.same_hvcc,
    matroska="V_MPEGH/ISO/HEVC",
)
AAC = Codec(
    "aac",
    "audio",
    copied=True,
    stream_type=0x0F,
    carriage=Carriage.ADTS,
    config=adts.fixed_part,
    config_name="ADTS header",
    count=adts.count,
    sound=aac.sound,
    silence=aac.silence,
    mp4_entries=("mp4a",),
    mp4_box="esds",
    mp4_config=aac.asc,
    same_config=aac.same_config,
    matroska="A_AAC",
)

ENCODED = {"video": H264, "audio": AAC}  # by kind: what is made where nothing can be copied

# What only other containers carry has a stream_type of our own (user private) on its way to the
# muxer, marked by a registration descriptor of our own.
PRIVATE = 0xF0
MARK = "rcpp"
VP8 = Codec(
    "vp8",
    "video",
    stream_type=0xF0,
    carriage=Carriage.UNIT,
    config=vpx.vp8_size,
    is_key=vpx.is_vp8_key,
    picture=sized,
    matroska="V_VP8",
)
VP9 = Codec(
    "vp9",
    "video",
    copied=True,
    stream_type=0xF1,
    carriage=Carriage.UNIT,
    config=vpx.vp9_config,
    is_key=vpx.is_vp9_key,
    picture=sized,
    mp4_entries=("vp09",),
    mp4_box="vpcC",
    mp4_config=vpx.vpcc,
    same_config=vpx.same_config,
    matroska="V_VP9",
)
AV1 = Codec(
    "av1",
    "video",
    copied=True,
    stream_type=0xF2,
    carriage=Carriage.UNIT,
    is_key=av1.is_key,
    stored=av1.stored,
    picture=sized,
    mp4_entries=("av01",),
    mp4_box="av1C",
    mp4_config=av1.av1c,
    same_config=av1.same_config,
    configured=av1.configured,
    matroska="V_AV1",
)
OPUS = Codec(
    "opus",
    "audio",
    copied=True,
    stream_type=0xF3,
    carriage=Carriage.UNIT,
    sound=opus.sound,
    needs=opus.needs,
    silence=opus.silence,
    longest_silence=opus.PAUSE,
    mp4_entries=("Opus",),
    mp4_box="dOps",
    mp4_config=opus.dops,
    same_config=opus.same_config,
    configured=opus.configured,
    matroska="A_OPUS",
    matroska_box=opus.dops_of,
)
VORBIS = Codec("vorbis", "audio", stream_type=0xF4, carriage=Carriage.UNIT, matroska="A_VORBIS")

MP2, LATM = Codec("mp2", "audio"), Codec("aac_latm", "audio")
AC3, EAC3 = Codec("ac3", "audio"), Codec("eac3", "audio")
_BY_STREAM_TYPE = {  # ISO/IEC 13818-1 Table 2-34
    0x01: Codec("mpeg1video", "video"),
    0x02: Codec("mpeg2video", "video"),
    0x03: MP2,
    0x04: MP2,
    0x0F: AAC,
    0x10: Codec("mpeg4", "video"),
    0x11: LATM,
    0x1B: H264,
    0x24: HEVC,
    0x33: Codec("vvc", "video"),
    0x80: Codec("pcm_bluray", "audio"),
    0x81: AC3,
    0x82: Codec("dts", "audio"),
    0x87: EAC3,
    0xF0: VP8,
    0xF1: VP9,
    0xF2: AV1,
    0xF3: OPUS,
    0xF4: VORBIS,
    0xCF: Codec("SAMPLE-AES aac", "audio"),
    0xDB: Codec("SAMPLE-AES h264", "video"),
}
_BY_FORMAT = {
    "AC-3": AC3,
    "EAC3": EAC3,
    "HEVC": HEVC,
    "Opus": Codec("opus", "audio"),
    "AV01": Codec("av1", "video"),
}

_ALL = (*_BY_STREAM_TYPE.values(), *_BY_FORMAT.values())
CODECS = {codec.name: codec for codec in _ALL}
BY_MP4_ENTRY = {entry: codec for codec in _ALL for entry in codec.mp4_entries}
BY_CODEC_ID = {codec.matroska: codec for codec in _ALL if codec.matroska}
MP4_BOXES = frozenset(codec.mp4_box for codec in _ALL if codec.mp4_box)


def codec_of(stream_type: int | None, format_identifier: str, stream_id: int) -> Codec | None:
    """The codec of a stream_type and registration descriptor (ISO/IEC 13818-1 Table 2-34); without
    an entry in the PMT a guess by the stream_id of its PES.  None for data and what is unknown.
    """
    if stream_type is not None:
        if stream_type >= PRIVATE and format_identifier != MARK:
            return None
        return _BY_STREAM_TYPE.get(stream_type) or _BY_FORMAT.get(format_identifier)
    if 0xE0 <= stream_id <= 0xEF:
        return H264
    return AAC if 0xC0 <= stream_id <= 0xDF else None


# What carries no PES (Table 2-34; SCTE 35): private sections, DSM-CC, metadata sections, splices.
SECTIONS = frozenset({0x05, 0x0A, 0x0B, 0x0C, 0x0D, 0x14, 0x16, 0x86})
_DATA = SECTIONS | {0x08, 0x0E, 0x15, 0x17, 0x18, 0x19, 0x1A, 0x1D}  # in PES: metadata, text, ...
_DATA_FORMATS = frozenset({"teletext", "subtitles", "VBI", "ID3 ", "KLVA", "CUEI", "VANC"})


def is_data(stream_type: int, format_identifier: str) -> bool:
    """Whether the PMT says that a stream is neither sound nor picture."""
    return stream_type in _DATA or format_identifier in _DATA_FORMATS
