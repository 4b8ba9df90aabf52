"""Every fault by name: what it is, what argument it takes, what it loses.

There is a row for every way in which recordings are known to go wrong.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from pipeline.errors import UsageError
from pipeline.simulator.faults import (
    files,
    foreign_slices,
    formats,
    headers,
    packets,
    playlists,
    timestamps,
    timing,
)
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.values import RecordedPart

# Levels: faults are applied in this order, whatever the order they are asked for in.
CONTENT, UNITS, PACKETS, FILES, LISTING, FAILOVER = range(6)

SLICE = "SLICE"  # its number from 0; negative from the end
SECONDS = "SECONDS"
STREAM = "video|audio"
NOTHING = "nothing"
ONE = "one slice"


class Fault(Struct, frozen=True):
    """One row; without ``apply`` it is about how failover parts meet."""

    name: str
    level: int
    apply: Callable[[RecordedPart, Case], RecordedPart] | None
    argument: str | None
    loses: str  # for people
    verdicts: tuple[str, ...] = ()  # empty: they depend on what is lost
    unseen: bool = False  # no rule about packets can find it: only a digest or a decoder
    about: str = ""

    @property
    def what(self) -> str:
        """What is wrong, in one sentence: the docstring of ``apply``."""
        return self.about or (self.apply.__doc__ or "").strip()


REJECTED = ("rejected",)
PENDING = ("pending",)

FAULTS = (
    # files
    Fault("missing_file", FILES, files.missing_file, SLICE, ONE),
    Fault("missing_also_in_playlist", LISTING, files.missing_also_in_playlist, SLICE, ONE),
    Fault("zero_byte", FILES, files.zero_byte, SLICE, ONE),
    Fault("trunc_odd", PACKETS, files.trunc_odd, SLICE, "two fifths of a slice"),
    Fault("trunc_188_midpes", PACKETS, packets.trunc_188_midpes, SLICE, "two fifths of a slice"),
    Fault("html_as_ts", FILES, files.html_as_ts, SLICE, ONE),
    Fault("aes_no_key_tag", FILES, files.aes_no_key_tag, SLICE, ONE),
    Fault("trunc_at_pes", PACKETS, packets.trunc_at_pes, SLICE, "two fifths of a slice"),
    Fault("head_cut", PACKETS, packets.head_cut, SLICE, "two fifths of a slice"),
    Fault("leading_garbage", PACKETS, files.leading_garbage, SLICE, NOTHING),
    Fault("garbage_behind", PACKETS, files.garbage_behind, SLICE, NOTHING),
    Fault("zeros_behind", PACKETS, files.zeros_behind, SLICE, NOTHING),
    # packets
    Fault("lost_5_packets", PACKETS, packets.lost_5_packets, SLICE, "a few units"),
    Fault(
        "lost_16_video_packets",
        PACKETS,
        packets.lost_16_video_packets,
        SLICE,
        "one picture",
        unseen=True,
    ),
    Fault("lost_16_audio_packets", PACKETS, packets.lost_16_audio_packets, SLICE, "a few frames"),
    Fault("lost_sound_pes", PACKETS, packets.lost_sound_pes, SLICE, "a few frames"),
    Fault("sound_garbage", PACKETS, packets.sound_garbage, SLICE, "half a slice of sound"),
    Fault("bitflip_header", PACKETS, packets.bitflip_header, SLICE, "three units"),
    Fault(
        "bitflip_video_payload",
        PACKETS,
        packets.bitflip_video_payload,
        SLICE,
        "one picture",
        unseen=True,
    ),
    Fault("zero_filled_64k", PACKETS, packets.zero_filled_64k, SLICE, "up to a third of a slice"),
    Fault("scrambled_bits", PACKETS, packets.scrambled_bits, SLICE, "a tenth of a slice"),
    Fault("null_packets_added", PACKETS, packets.null_packets_added, SLICE, NOTHING),
    Fault("legal_dup_packet", PACKETS, packets.legal_dup_packet, SLICE, NOTHING),
    Fault("triple_packet", PACKETS, packets.triple_packet, SLICE, NOTHING),
    Fault("resent_packets", PACKETS, packets.resent_packets, SLICE, NOTHING),
    Fault("resent_16_packets", PACKETS, packets.resent_16_packets, SLICE, NOTHING),
    Fault("psi_missing_in_seg", PACKETS, packets.psi_missing_in_seg, SLICE, NOTHING),
    Fault("psi_missing_in_first", PACKETS, packets.psi_missing_in_first, None, NOTHING),
    Fault("starts_without_key", PACKETS, packets.starts_without_key, None, "ten pictures"),
    Fault("seg_without_key", PACKETS, packets.seg_without_key, SLICE, "one picture"),
    # headers and stamps
    Fault("counters_anew", UNITS, headers.counters_anew, None, NOTHING),
    Fault("long_sound_pes", UNITS, headers.long_sound_pes, None, NOTHING),
    Fault("nal_per_pes", UNITS, headers.nal_per_pes, None, NOTHING),
    Fault("early_delimiters", UNITS, headers.early_delimiters, None, NOTHING),
    Fault("section_streams", UNITS, headers.section_streams, None, NOTHING),
    Fault("adts_as_mpeg_audio", UNITS, headers.adts_as_mpeg_audio, "0x03|0x04", NOTHING),
    Fault("adts_bits", UNITS, headers.adts_bits, SLICE, NOTHING),
    Fault("level_change", UNITS, headers.level_change, SLICE, NOTHING),
    Fault("wrong_pes_length", PACKETS, headers.wrong_pes_length, SLICE, NOTHING),
    Fault("flipped_start_code", PACKETS, headers.flipped_start_code, STREAM, NOTHING),
    Fault("flipped_stream_id", PACKETS, headers.flipped_stream_id, STREAM, NOTHING),
    Fault("flipped_pts", PACKETS, timestamps.flipped_pts, STREAM, NOTHING),
    Fault("flipped_dts", UNITS, timestamps.flipped_dts, SLICE, NOTHING),
    Fault("first_stamps_zero", PACKETS, timestamps.first_stamps_zero, SLICE, NOTHING),
    Fault("two_pictures_one_stamp", UNITS, timestamps.two_pictures_one_stamp, SLICE, NOTHING),
    Fault("dts_repeats", UNITS, timestamps.dts_repeats, SLICE, NOTHING),
    Fault("dts_back_a_frame", UNITS, timestamps.dts_back_a_frame, SLICE, NOTHING),
    Fault("sound_shifted", UNITS, timestamps.sound_shifted, SECONDS, NOTHING),
    Fault("pictures_shifted", UNITS, timestamps.pictures_shifted, SECONDS, NOTHING),
    # time
    Fault("overlap_2s", UNITS, timing.overlap_2s, SLICE, NOTHING),
    Fault("clock_step", UNITS, timing.clock_step, SECONDS, NOTHING),
    Fault("clock_steps_once", UNITS, timing.clock_steps_once, SECONDS, NOTHING),
    Fault("discontinuity", UNITS, timing.discontinuity, SECONDS, NOTHING),
    Fault("names_step", UNITS, timing.names_step, SECONDS, NOTHING),
    Fault("gap_7s", UNITS, timing.gap_7s, SLICE, "7 s"),
    Fault("gap_3600s", UNITS, timing.gap_3600s, SLICE, "an hour"),
    Fault("interruption", UNITS, timing.interruption, SECONDS, "so many seconds"),
    Fault("pts_wrap", UNITS, timing.pts_wrap, None, NOTHING),
    Fault("ts_reset", UNITS, timing.ts_reset, "plain|tag", NOTHING),
    Fault("av_drift_1pct", UNITS, timing.av_drift_1pct, None, NOTHING),
    Fault("dts_swapped", UNITS, timing.dts_swapped, SLICE, NOTHING),
    # streams
    Fault("late_audio_pmt_ok", UNITS, timing.late_audio_pmt_ok, SLICE, NOTHING),
    Fault("late_audio_pmt_absent", UNITS, timing.late_audio_pmt_absent, SLICE, NOTHING),
    Fault("late_video", UNITS, timing.late_video, SLICE, NOTHING),
    Fault("audio_ends_early", UNITS, timing.audio_ends_early, SLICE, NOTHING),
    Fault("video_ends_early", UNITS, timing.video_ends_early, SLICE, NOTHING),
    Fault("audio_pauses", UNITS, timing.audio_pauses, SLICE, NOTHING),
    Fault("audio_interrupted", UNITS, timing.audio_interrupted, SLICE, NOTHING),
    Fault("still_screen", UNITS, timing.still_screen, SLICE, NOTHING),
    Fault("audio_never", UNITS, timing.audio_never, None, NOTHING),
    Fault(
        "audio_missing_one_seg", PACKETS, packets.audio_missing_one_seg, SLICE, "a slice of sound"
    ),
    Fault(
        "video_missing_one_seg",
        PACKETS,
        packets.video_missing_one_seg,
        SLICE,
        "a slice of pictures",
    ),
    Fault("pids_changed", UNITS, formats.pids_changed, SLICE, NOTHING),
    Fault("pmt_pid_changed", UNITS, formats.pmt_pid_changed, SLICE, NOTHING),
    # what is seen and heard
    Fault("vfr", CONTENT, formats.vfr, None, NOTHING),
    Fault("black", CONTENT, formats.black, SLICE, NOTHING),
    Fault("frozen", CONTENT, formats.frozen, SLICE, NOTHING),
    Fault("silent", CONTENT, formats.silent, SLICE, NOTHING),
    # formats
    Fault("resolution_change", CONTENT, formats.resolution_change, SLICE, NOTHING),
    Fault("resolution_change_inside", CONTENT, formats.resolution_change_inside, SLICE, NOTHING),
    Fault("samplerate_change", CONTENT, formats.samplerate_change, SLICE, NOTHING),
    Fault("channels_change", CONTENT, formats.channels_change, SLICE, NOTHING),
    Fault("channels_change_inside", CONTENT, formats.channels_change_inside, SLICE, NOTHING),
    Fault("codec_change_hevc", CONTENT, formats.codec_change_hevc, SLICE, NOTHING),
    Fault("webm", UNITS, formats.webm, "vp8|vp9", NOTHING),
    Fault("packed_audio", UNITS, formats.packed_audio, None, NOTHING),
    Fault("fmp4", FILES, formats.fmp4, None, NOTHING),
    Fault("aes_128", FILES, formats.aes_128, "iv|sequence", NOTHING),
    Fault("forced_slice", CONTENT, formats.forced_slice, SLICE, NOTHING),
    # what stands under a name
    Fault("holds_the_next", PACKETS, foreign_slices.holds_the_next, SLICE, NOTHING),
    Fault("foreign_slice", PACKETS, foreign_slices.foreign_slice, "format|clock", ONE),
    Fault("copied_over", FILES, foreign_slices.copied_over, SLICE, ONE),
    Fault("tables_only", UNITS, foreign_slices.tables_only, "middle|begin|end", NOTHING),
    # the playlist
    Fault("duplicate_segment", LISTING, playlists.duplicate_segment, SLICE, ONE),
    Fault("duplicate_extra", LISTING, playlists.duplicate_extra, SLICE, NOTHING),
    Fault("out_of_order", LISTING, playlists.out_of_order, SLICE, NOTHING),
    Fault("no_endlist", LISTING, playlists.no_endlist, None, NOTHING, PENDING),
    Fault("playlist_truncated", LISTING, playlists.playlist_truncated, None, NOTHING, PENDING),
    Fault("extinf_wrong", LISTING, playlists.extinf_wrong, SLICE, NOTHING),
    Fault("target_too_small", LISTING, playlists.target_too_small, None, NOTHING),
    Fault("bom", LISTING, playlists.bom, None, NOTHING),
    Fault("crlf", LISTING, playlists.crlf, None, NOTHING),
    Fault("odd_names", UNITS, playlists.odd_names, None, NOTHING),
    Fault("sub_folder", UNITS, playlists.sub_folder, None, NOTHING),
    Fault("gap_tag", LISTING, playlists.gap_tag, SLICE, ONE),
    Fault(
        "unsafe_uri", LISTING, playlists.unsafe_uri, "|".join(playlists.UNSAFE), NOTHING, REJECTED
    ),
    Fault("huge_playlist", LISTING, playlists.huge_playlist, "ENTRIES", NOTHING, REJECTED),
    Fault("orphan_segment", LISTING, playlists.orphan_segment, SLICE, NOTHING),
    Fault("rewritten_after_endlist", LISTING, playlists.rewritten_after_endlist, None, NOTHING),
    Fault("backup_playlist", LISTING, playlists.backup_playlist, "TICK", NOTHING),
    Fault("playlist_renamed", LISTING, playlists.playlist_renamed, None, NOTHING),
    Fault("uri_form", LISTING, playlists.uri_form, "|".join(playlists.FORMS), NOTHING),
    # failover parts
    Fault(
        "bak_gap",
        FAILOVER,
        None,
        SECONDS,
        "so many seconds at each join",
        about="Failover parts (--bak N, at least one) begin so many seconds late.",
    ),
    Fault(
        "bak_overlap",
        FAILOVER,
        None,
        SECONDS,
        NOTHING,
        about="Failover parts begin so many seconds before the older part ends.",
    ),
    Fault(
        "bak_killed",
        FAILOVER,
        None,
        None,
        NOTHING,
        about="Playlists of parts that were taken over lack EXT-X-ENDLIST.",
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
PARTS = ("main", "bak0", "bak1", "bak2")


class ChosenFault(Struct, frozen=True):
    """A fault that was asked for, with its argument.

    ``part`` is 0 for the main part, 1 for ``bak0`` and so on; None: the main part, or each join.
    """

    fault: Fault
    argument: str | None = None
    part: int | None = None


def parse(text: str) -> ChosenFault:
    """A fault as ``NAME[:ARG][@PART]``.

    Raises ``UsageError`` for an unknown name or part, and an argument where there is none.
    """
    text, at, part = text.partition("@")
    if at and part not in PARTS:
        raise UsageError(f"{text}@{part}: expected one of {', '.join(PARTS)} after the @")
    name, colon, argument = text.partition(":")
    if name not in BY_NAME:
        raise UsageError(f"{name}: no such fault; --list-faults names them all")
    fault = BY_NAME[name]
    if colon and fault.argument is None:
        raise UsageError(f"{name}: takes no argument, got {argument!r}")
    return ChosenFault(fault, argument if colon else None, PARTS.index(part) if at else None)


def in_order(wanted: Sequence[ChosenFault]) -> list[ChosenFault]:
    """Faults in the order they are applied: content first, listing last; then by their rows."""
    return sorted(wanted, key=lambda w: (w.fault.level, FAULTS.index(w.fault)))


def verdicts(
    wanted: Sequence[ChosenFault], *, lost: bool, doubt: bool = False, last: int = 0
) -> tuple[str, ...]:
    """The verdicts that a perfect tool may reach for a recording with these faults.

    ``last`` is the number of its last part; only that playlist has to end, as another server
    continued after the others.
    """
    ending = [w for w in wanted if w.fault.verdicts != PENDING or (w.part or 0) == last]
    said = {verdict for w in ending for verdict in w.fault.verdicts}
    for verdict in ("rejected", "pending"):
        if verdict in said:
            return (verdict,)
    if lost:
        return ("degraded",)
    return ("ok", "repaired", "degraded") if doubt else ("ok", "repaired")
