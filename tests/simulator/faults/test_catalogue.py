"""The table of faults: every row is there, and each changes what it claims and nothing else."""

import re
from itertools import pairwise

import pytest
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.media.playlist import parse as reader
from pipeline.simulator.faults.catalogue import (
    BY_NAME,
    FAILOVER,
    FAULTS,
    FILES,
    LISTING,
    PACKETS,
    in_order,
    parse,
)
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.mux import SIZE, mux_all
from pipeline.simulator.recording import RecordingOrder, simulate
from tests import recordings as r
from tests.simulator.conftest import LOOK, SECONDS, SLICE

# Every way in which a recording is known to go wrong.
CATALOGUE = re.findall(
    r"\w+",
    """
missing_file missing_also_in_playlist zero_byte trunc_odd trunc_188_midpes lost_5_packets
lost_16_video_packets bitflip_header bitflip_video_payload zero_filled_64k html_as_ts
aes_no_key_tag leading_garbage duplicate_segment duplicate_extra out_of_order overlap_2s gap_7s
gap_3600s pts_wrap ts_reset resolution_change samplerate_change channels_change codec_change_hevc
pids_changed late_audio_pmt_ok late_audio_pmt_absent audio_never audio_missing_one_seg
av_drift_1pct vfr dts_swapped starts_without_key seg_without_key psi_missing_in_seg
psi_missing_in_first scrambled_bits null_packets_added legal_dup_packet triple_packet no_endlist
playlist_truncated extinf_wrong target_too_small bom crlf odd_names gap_tag unsafe_uri webm fmp4
black frozen silent huge_playlist
interruption forced_slice backup_playlist orphan_segment rewritten_after_endlist late_video
audio_ends_early video_ends_early audio_pauses video_missing_one_seg pmt_pid_changed aes_128
clock_step resent_packets bak_gap bak_overlap bak_killed
resolution_change_inside channels_change_inside
trunc_at_pes head_cut garbage_behind zeros_behind lost_16_audio_packets lost_sound_pes sound_garbage
resent_16_packets counters_anew long_sound_pes nal_per_pes early_delimiters section_streams
adts_as_mpeg_audio adts_bits level_change wrong_pes_length flipped_start_code flipped_stream_id
flipped_pts flipped_dts first_stamps_zero two_pictures_one_stamp dts_repeats dts_back_a_frame
sound_shifted pictures_shifted clock_steps_once discontinuity names_step audio_interrupted
still_screen holds_the_next foreign_slice copied_over tables_only sub_folder playlist_renamed
uri_form packed_audio
""",
)


def test_every_row_of_the_catalogue_is_a_fault():
    assert {fault.name for fault in FAULTS} == set(CATALOGUE)
    assert len(BY_NAME) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_says_what_it_is(fault):
    assert re.fullmatch(r"[A-Z0-9].+\.", fault.what.replace("\n", " "))
    assert fault.loses
    assert re.fullmatch(r"[a-z0-9_]+", fault.name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("mising_file", "no such fault", id="unknown"),
        pytest.param("", "no such fault", id="empty"),
        pytest.param("bom:3", "takes no argument", id="argument where none is taken"),
    ],
)
def test_what_is_not_in_the_table_is_refused(text, why):
    with pytest.raises(UsageError, match=why):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("missing_file:7", "expected a segment from 0 to 4", id="no such slice"),
        pytest.param("ts_reset:0", "expected plain or tag", id="not a word"),
        pytest.param("missing_file:two", "expected a whole number", id="not a number"),
        pytest.param("clock_step:-3", "a number of seconds above 0", id="negative"),
        pytest.param("clock_step:nan", "a number of seconds above 0", id="not a number of seconds"),
        pytest.param("interruption:3", "15 seconds or more", id="short"),
        pytest.param("seg_without_key:0", "expected a segment from 1 to 4", id="not the first"),
        pytest.param("bak_gap:0", "expected seconds above 0", id="no length"),
        pytest.param("webm:av1", "expected vp8 or vp9", id="codec"),
        pytest.param("huge_playlist:0", "a number of entries", id="no entries"),
        pytest.param("backup_playlist:-1", "a number of milliseconds", id="tick"),
        pytest.param("sound_shifted:-0", "a number of seconds above 0", id="no shift"),
        pytest.param("holds_the_next:-1", "another behind it", id="nothing follows"),
        pytest.param("audio_interrupted:-1", "has to come back", id="it does not come back"),
        pytest.param("flipped_pts:subtitles", "expected video or audio", id="stream"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(simulated, text, why):
    with pytest.raises(UsageError, match=why):
        simulated(text)


@pytest.mark.parametrize(
    ("faults", "chosen", "why"),
    [
        (["bak_gap"], {"bak": 0}, "give --bak N"),
        ([], {"bak": 4}, "at most 3"),
        ([], {"look": Look(seed=-1)}, "expected 0 or more"),
        ([], {"look": Look(width=65)}, "even numbers"),
        ([], {"slice": 0}, "1 second or more"),
        (["seg_without_key"], {"streams": ("audio",)}, "no pictures"),
        (["late_video"], {"streams": ("video",)}, "sound and pictures"),
        (["missing_file:0"] + ["missing_file"] * 5, {}, "no segment is left"),
        (["lost_5_packets:2", "zero_byte:2", "trunc_odd"], {"duration": 0.5}, "duration"),
        (["webm", "fmp4"], {"duration": 4}, "only of intact slices"),
        (["late_audio_pmt_ok", "fmp4"], {}, "every stream"),
        (["webm", "lost_5_packets"], {"duration": 4}, "no transport stream any more"),
        (["zero_byte:2", "holds_the_next:2", "packed_audio"], {}, "no transport stream any more"),
        (["playlist_renamed"], {"bak": 1}, "told by the names"),
        (["playlist_renamed", "backup_playlist"], {}, "a copy of the whole playlist"),
        (["sound_shifted"], {"streams": ("audio",)}, "sound and pictures"),
        (["still_screen"], {"streams": ("video",)}, "sound and pictures"),
        (["flipped_start_code"], {"streams": ("audio",)}, "too little video"),
        (["lost_16_audio_packets"], {"streams": ("video",)}, "too little sound"),
    ],
)
def test_orders_that_contradict_themselves_are_refused(simulated, faults, chosen, why):
    with pytest.raises(UsageError, match=why):
        simulated(*faults, **chosen)


def test_faults_are_done_from_the_content_to_the_listing():
    wanted = [parse(text) for text in ("bom", "zero_byte", "lost_5_packets", "ts_reset")]
    assert [w.fault.name for w in in_order(wanted)] == [
        *("ts_reset", "lost_5_packets", "zero_byte", "bom")
    ]


def test_faults_avoid_one_another(simulated):
    made = simulated("zero_byte", "html_as_ts", "missing_file")
    assert len(made.parts[0].touched) == 3
    assert made.truth.lost_seconds["video"] == 12


@pytest.fixture(scope="module")
def clean(ffmpeg):
    """Every file of a recording without faults."""
    return files(simulate(RecordingOrder(SECONDS, LOOK, SLICE), ffmpeg))


def files(made):
    """What would be stored, by name."""
    found = {}
    for part in made.parts:
        found |= {s.name: s.data for s in mux_all(part.segments) if s.stored}
        found |= {part.playlist.name: part.playlist.data, **part.files}
    return found


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.level != FAILOVER], ids=lambda f: f.name)
def test_a_fault_changes_what_it_may(simulated, clean, fault):
    faulty = files(simulated(fault.name))
    assert faulty != clean
    if fault.level == LISTING:  # slices stay what they are, or are gone
        slices = {name: data for name, data in faulty.items() if name.endswith(".ts")}
        assert slices.items() <= clean.items()
    if fault.level in (PACKETS, FILES) and fault.name not in ("fmp4", "aes_128"):
        changed = {name for name in clean if faulty.get(name) != clean[name]}
        assert len(changed) == 1  # one slice
        assert changed.pop().endswith(".ts")


def test_the_same_seed_gives_the_same_faults(simulated):
    faults = ("zero_filled_64k", "bitflip_header", "lost_5_packets", "aes_128", "missing_file")
    assert files(simulated(*faults)) == files(simulated(*faults))
    other = simulated(*faults, look=replace(LOOK, seed=1))
    assert other.name != simulated(*faults).name


def change(simulated, fault):
    """The playlist read, and the slices in order, without and with a fault."""
    clean = simulated("leading_garbage:0").parts[0]
    part = simulated(fault, *([] if fault.startswith("leading") else ["leading_garbage:0"])).parts[
        0
    ]
    return clean, part


def streams_of(part):
    return [b"".join(packet.data for packet in segment.packets) for segment in part.segments]


def slices_of(part):
    return [r.packets(data) for data in streams_of(part)]


@pytest.mark.parametrize(
    ("fault", "less"),
    [("lost_5_packets:2", 5), ("lost_16_video_packets:2", 16)],
)
def test_packets_are_lost(simulated, fault, less):
    clean, part = change(simulated, fault)
    before, after = slices_of(clean), slices_of(part)
    assert [len(a) - len(b) for a, b in zip(before, after, strict=True)] == [0, 0, less, 0, 0]
    assert after[2] == [p for p in before[2] if p in set(after[2])]


def test_sixteen_packets_are_all_of_one_picture_and_leave_the_counters_in_order(simulated):
    clean, part = change(simulated, "lost_16_video_packets:2")
    pid = 0x100
    counters = [p[3] & 15 for p in slices_of(part)[2] if r.pid_of(p) == pid]
    assert all(b == a + 1 & 15 for a, b in pairwise(counters))
    assert part.segments[2].packets != clean.segments[2].packets


def test_repeated_packets(simulated):
    for fault, times in (("legal_dup_packet:2", 2), ("triple_packet:2", 3)):
        _, part = change(simulated, fault)
        found = slices_of(part)[2]
        runs = [k for k in range(len(found) - 1) if found[k] == found[k + 1]]
        assert len(runs) == 3 * (times - 1)


def test_tables_are_missing(simulated):
    _, part = change(simulated, "psi_missing_in_seg:2")
    assert {r.pid_of(p) for p in slices_of(part)[2]} == {0x100, 0x101}
    assert {r.pid_of(p) for p in slices_of(part)[1]} == {0, 0x1000, 0x100, 0x101}


def test_truncated_slices(simulated):
    odd = simulated("trunc_odd:2").parts[0].segments[2].data
    even = simulated("trunc_188_midpes:2").parts[0].segments[2].data
    assert len(odd) % SIZE == 101
    assert len(even) % SIZE == 0
    clean = simulated("leading_garbage:0").parts[0].segments[2].data
    assert clean.startswith(odd)
    assert clean.startswith(even)
    assert not r.packets(clean)[len(even) // SIZE][1] & 0x40  # in the middle of a PES


def test_zeros(simulated):
    data = simulated("zero_filled_64k:2").parts[0].segments[2].data
    assert bytes(min(64 << 10, len(data) // 3) // SIZE * SIZE - SIZE) in data


def stamps(part):
    """The lowest PTS of each slice."""
    return [r.first_pts(data) for data in streams_of(part)]


@pytest.mark.parametrize(
    ("fault", "steps"),
    [
        pytest.param("leading_garbage", [4, 4, 4, 4], id="none"),
        pytest.param("overlap_2s:2", [4, 2, 4, 4], id="overlap"),
        pytest.param("gap_7s:2", [4, 11, 4, 4], id="gap"),
        pytest.param("gap_3600s:2", [4, 3604, 4, 4], id="an hour"),
        pytest.param("clock_step:9", [4, 13, 4, 4], id="step"),
        pytest.param("ts_reset", [4, -4, 4, 4], id="reset"),
    ],
)
def test_the_clock(simulated, fault, steps):
    extra = [] if fault == "leading_garbage" else ["leading_garbage:0"]
    part = simulated(fault, *extra).parts[0]
    found = [
        ((b - a + (1 << 32)) % (1 << 33) - (1 << 32)) / r.HZ for a, b in pairwise(stamps(part))
    ]
    assert found == pytest.approx(steps, abs=0.05)


def test_the_clock_wraps_inside(simulated):
    first, *_, last = stamps(simulated("pts_wrap", "leading_garbage:0").parts[0])
    assert last < first


def test_names_tell_of_a_pause_but_not_of_a_step(simulated):
    def utc(fault):
        found = [names.parse_slice_name(s.name).utc for s in simulated(fault).parts[0].segments]
        return [round(b - a, 3) for a, b in pairwise(found)]

    assert utc("gap_7s:2") == [4, 11, 4, 4]
    assert utc("interruption:20") == [4, 24, 4, 4]
    assert utc("clock_step:7") == [4, 4, 4, 4]


def test_an_interruption_starts_anew_in_the_playlist(simulated):
    text = simulated("interruption").parts[0].playlist.data.decode()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2
    assert text.count("EVENT=START,TRACK_TYPE=VIDEO") == 2
    assert "TIME=20260302090046470" in text  # 8 s recorded, 36.35 s not


def test_streams_that_come_late_or_end_early(simulated):
    def carried(fault):
        """Streams announced and sent, by slice."""
        part = simulated(fault, "leading_garbage:0").parts[0]
        return [
            "".join(kind[0] for kind in sorted({u.kind for u in r.units([data])}))
            for data in streams_of(part)
        ], [s.layout.streams for s in part.segments]

    assert carried("late_audio_pmt_ok:2") == (["v", "v", *["av"] * 3], [("video", "audio")] * 5)
    sent, announced = carried("late_audio_pmt_absent:2")
    assert sent == ["v", "v", "av", "av", "av"]
    assert announced == [("video",)] * 2 + [("video", "audio")] * 3
    assert carried("audio_ends_early:3")[0] == ["av", "av", "av", "v", "v"]
    assert carried("late_video:1")[0] == ["a", *["av"] * 4]
    assert carried("audio_never")[0] == ["v"] * 5
    assert carried("audio_pauses:3")[0] == ["av", "av", "av", "v", "av"]


def test_other_pids(simulated):
    _, part = change(simulated, "pids_changed:3")
    assert [r.stream_pids(data)["video"] for data in streams_of(part)] == [256, 256, 256, 512, 512]
    _, part = change(simulated, "pmt_pid_changed:3")
    assert 0x1100 in {r.pid_of(p) for p in slices_of(part)[3]}


def test_the_listing(simulated):
    def listed(fault):
        part = simulated(fault).parts[0]
        order = {segment.name: n for n, segment in enumerate(part.segments)}
        return [order.get(e.uri) for e in part.playlist.entries]

    assert listed("duplicate_segment:2") == [0, 1, 1, 3, 4]
    assert listed("duplicate_extra:2") == [0, 1, 2, 2, 3, 4]
    assert listed("out_of_order:2") == [0, 2, 1, 3, 4]
    assert listed("orphan_segment:2") == [0, 1, 3, 4]
    assert listed("missing_also_in_playlist:2") == [0, 1, 3, 4]
    assert listed("unsafe_uri") == [0, 1, None, 3, 4]
    assert len(listed("huge_playlist:1000")) == 1005


def test_the_playlist_as_text(simulated):
    def text(fault):
        return simulated(fault).parts[0].playlist.data

    assert text("bom").startswith(b"\xef\xbb\xbf#EXTM3U\n")
    assert text("crlf").count(b"\r\n") == text("crlf").count(b"\n") > 10
    assert b"ENDLIST" not in text("no_endlist")
    assert re.search(rb"#EXTINF:4$", text("playlist_truncated"))
    assert b"#EXT-X-TARGETDURATION:1\n" in text("target_too_small")
    assert b"#EXTINF:2.000000\n" in text("extinf_wrong")
    assert b"#EXT-X-GAP\n#EXTINF:4.000000\n" in text("gap_tag")
    assert text("rewritten_after_endlist").rstrip().endswith(b".ts")
    assert "_Ümlaut & 100% room_" in text("odd_names").decode()
    clean = reader.parse(text("vfr"))
    assert clean.ended
    assert [s.duration for s in clean.segments] == [4] * 5


def test_backup_copies(simulated):
    part = simulated("backup_playlist:1772442999123").parts[0]
    assert [names.backup_copy(name, part.stem) for name in part.files] == [
        (1772442999123, 0),
        (1772442999123, 1),
    ]
    counts = [len(reader.parse(data).segments) for data in part.files.values()]
    assert counts == [3, 5]
    assert len(reader.parse(part.playlist.data).segments) == 2


def test_failover_parts(simulated):
    made = simulated("bak_killed", bak=2)
    assert [part.playlist.name[:5] for part in made.parts] == ["74ec3", "bak0_", "bak1_"]
    ended = [b"ENDLIST" in part.playlist.data for part in made.parts]
    assert ended == [False, False, True]
    assert all(s.name.startswith("bak1_") for s in made.parts[2].segments)


def test_other_containers(simulated):
    web = simulated("webm:vp9", duration=6).parts[0]
    assert all(s.data.startswith(bytes.fromhex("1a45dfa3")) for s in web.segments)
    assert all(names.parse_slice_name(s.name).extension == "webm" for s in web.segments)
    fragments = simulated("fmp4").parts[0]
    assert all(s.data[4:8] in (b"styp", b"moof") for s in fragments.segments)
    (init,) = fragments.files.values()
    assert init[4:8] == b"ftyp"


@pytest.mark.parametrize("kind", ["iv", "sequence"])
def test_encrypted_slices_can_be_decrypted(simulated, kind):
    ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
    clean = simulated("leading_garbage:0").parts[0]
    part = simulated(f"aes_128:{kind}", "leading_garbage:0").parts[0]
    (key,) = part.files.values()
    text = part.playlist.data.decode()
    given = re.search(r"IV=0x([0-9a-f]{32})", text)
    assert bool(given) == (kind == "iv")
    for number, (plain, secret) in enumerate(zip(clean.segments, part.segments, strict=True)):
        iv = bytes.fromhex(given[1]) if given else number.to_bytes(16, "big")
        cipher = ciphers.Cipher(ciphers.algorithms.AES(key), ciphers.modes.CBC(iv)).decryptor()
        data = cipher.update(secret.data) + cipher.finalize()
        assert data[: -data[-1]] == plain.data


def units_of(part, number, stream):
    return [u for u in part.segments[number].units if u.stream == stream]


def pes_of(data, pid):
    """Each PES of a stream of a slice."""
    return [
        (p[r.payload_at(p) :], k)
        for k, p in enumerate(r.packets(data))
        if r.pid_of(p) == pid and p[1] & 0x40
    ]


def test_sixteen_packets_of_sound_leave_the_counters_in_order(simulated):
    for fault in ("lost_16_audio_packets:2", "lost_sound_pes:2+long_sound_pes"):
        clean = simulated("leading_garbage:0", *fault.split("+")[1:]).parts[0]
        part = simulated("leading_garbage:0", *fault.split("+")).parts[0]
        before, after = slices_of(clean)[2], slices_of(part)[2]
        assert len(before) - len(after) == 16
        counters = [p[3] & 15 for p in after if r.pid_of(p) == 0x101]
        assert all(b == a + 1 & 15 for a, b in pairwise(counters))


def test_sixteen_packets_of_a_picture_are_there_twice(simulated):
    clean, part = change(simulated, "resent_16_packets:2")
    before, after = slices_of(clean)[2], slices_of(part)[2]
    (begin,) = [k for k in range(len(after) - 32) if after[k : k + 16] == after[k + 16 : k + 32]]
    assert [*after[:begin], *after[begin + 16 :]] == before


def test_cuts_at_the_border_of_a_packet(simulated):
    clean, ended = change(simulated, "trunc_at_pes:2")
    kept = slices_of(ended)[2]
    assert kept == slices_of(clean)[2][: len(kept)]
    assert slices_of(clean)[2][len(kept)][1] & 0x40  # a PES or a table would begin here
    _, begun = change(simulated, "head_cut:2")
    kept = slices_of(begun)[2]
    assert kept == slices_of(clean)[2][-len(kept) :]


def test_counters_begin_again(simulated):
    _, part = change(simulated, "counters_anew")
    for packets in slices_of(part):
        assert {next(p[3] & 15 for p in packets if r.pid_of(p) == pid) for pid in (256, 257)} == {0}


def test_what_stands_in_one_pes(simulated):
    _, long = change(simulated, "long_sound_pes")
    assert [len(pes_of(data, 0x101)) for data in streams_of(long)] == [9] * 5  # 188 frames by 21
    clean, divided = change(simulated, "nal_per_pes")
    before, after = (pes_of(streams_of(part)[1], 0x100) for part in (clean, divided))
    assert len(after) > 2 * len(before)
    assert {pes[9:14] for pes, _ in after} == {pes[9:14] for pes, _ in before}


def test_delimiters_stand_in_the_pes_before(simulated):
    clean, part = change(simulated, "early_delimiters")
    for old, new in zip(clean.segments, part.segments, strict=True):
        for stream in ("video", "audio"):
            assert len(old.units) == len(new.units), stream
    pictures = [u.data for s in part.segments for u in s.units if u.stream == "video"]
    assert pictures[0].startswith(b"\0\0\0\1\x09")
    assert not any(data.startswith(b"\0\0\0\1\x09") for data in pictures[1:])
    assert all(data[-6:-1] == b"\0\0\0\1\x09" for data in pictures[:-1])
    whole = [u.data for s in clean.segments for u in s.units if u.stream == "video"]
    assert b"".join(pictures) == b"".join(whole)


def test_sections_are_announced_and_sent(simulated):
    _, part = change(simulated, "section_streams")
    assert {0x1F0, 0x1F1} <= {r.pid_of(p) for p in slices_of(part)[2]}


def test_only_the_level_differs(simulated):
    clean, part = change(simulated, "level_change:2")
    for number in range(5):
        old, new = (b"".join(u.data for u in units_of(p, number, "video")) for p in (clean, part))
        differs = {(a, b) for a, b in zip(old, new, strict=True) if a != b}
        assert len(differs) == (number == 2)


def test_bits_of_headers(simulated):
    clean, part = change(simulated, "adts_bits:2")
    old, new = (units_of(p, 2, "audio") for p in (clean, part))
    for a, b in zip(old, new, strict=True):
        assert a.data[7:] == b.data[7:]
        assert bin(int.from_bytes(a.data[:7]) ^ int.from_bytes(b.data[:7])).count("1") == 1
    for fault in (
        "flipped_start_code",
        "flipped_stream_id:audio",
        "flipped_pts",
        "flipped_pts:audio",
    ):
        clean, part = change(simulated, fault)
        apart = int.from_bytes(streams_of(clean)[2]) ^ int.from_bytes(streams_of(part)[2])
        assert apart.bit_count() == 1, fault


def decoded(part, number):
    """Ticks from each picture's PTS back to its DTS, and its DTS."""
    found = [pes for pes, _ in pes_of(streams_of(part)[number], 0x100)]
    assert all(pes[7] >> 6 == 3 for pes in found)
    pairs = [(r.read_stamp(pes[9:14]), r.read_stamp(pes[14:19])) for pes in found]
    return [(pts - dts, dts) for pts, dts in pairs]


def test_decoding_times(simulated):
    frame = 90_000 // 15
    for fault, steps in (("dts_repeats:2", 0), ("dts_back_a_frame:2", -frame)):
        part = simulated(fault, "leading_garbage:0").parts[0]
        assert {lead for lead, _ in decoded(part, 1)} == {frame}
        times = [dts for _, dts in decoded(part, 2)]
        assert sum(b - a == steps for a, b in pairwise(times)) in (2, 3)
    part = simulated("flipped_dts:2", "leading_garbage:0").parts[0]
    assert sum(lead != frame for lead, _ in decoded(part, 2)) == 1


def test_stamps_that_are_wrong(simulated):
    _, part = change(simulated, "first_stamps_zero:2")
    for pid in (0x100, 0x101):
        read = [r.read_stamp(pes[9:14]) for pes, _ in pes_of(streams_of(part)[2], pid)]
        assert read[0] == 0 < min(read[1:])
    _, part = change(simulated, "two_pictures_one_stamp:2")
    read = [r.read_stamp(pes[9:14]) for pes, _ in pes_of(streams_of(part)[2], 0x100)]
    assert len(read) - len(set(read)) == 1
    clean, part = change(simulated, "sound_shifted:-0.7")
    for pid, ticks in ((0x100, 0), (0x101, -63_000)):
        old, new = (r.read_stamp(pes_of(streams_of(p)[2], pid)[0][0][9:14]) for p in (clean, part))
        assert new - old == ticks


def test_clocks_of_media_and_names(simulated):
    def steps(fault):
        part = simulated(fault, "leading_garbage:0").parts[0]
        return [round((b - a) / r.HZ) for a, b in pairwise(stamps(part))]

    assert steps("clock_steps_once:100") == [4, 104, -96, 4]
    assert steps("discontinuity:60") == [4, 64, 4, 4]
    part = simulated("names_step:-1800").parts[0]
    told = [names.parse_slice_name(s.name).utc for s in part.segments]
    assert [round(b - a) for a, b in pairwise(told)] == [4, -1796, 4, 4]
    text = simulated("discontinuity").parts[0].playlist.data.decode()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2


def test_sound_that_was_interrupted(simulated):
    part = simulated("audio_interrupted:2").parts[0]
    assert not units_of(part, 2, "audio")
    (tag,) = part.playlist.entries[3].tags
    assert tag.startswith(
        "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO,TIME=20260302090014"
    )
    assert all(not entry.tags for entry in part.playlist.entries[1:3])


def test_a_still_screen(simulated):
    part = simulated("still_screen:2").parts[0]
    assert [len(units_of(part, n, "video")) for n in range(5)] == [60, 60, 1, 60, 60]
    assert units_of(part, 2, "video")[0].length == 4 * 90_000


def test_what_stands_under_the_name_of_a_slice(simulated):
    clean, part = change(simulated, "copied_over:2")
    assert part.segments[2].data == clean.segments[1].data
    clean, part = change(simulated, "holds_the_next:2")
    assert part.segments[2].data == clean.segments[2].data + clean.segments[3].data
    for kind in ("format", "clock"):
        clean, part = change(simulated, f"foreign_slice:{kind}")
        old, new = streams_of(clean)[2], streams_of(part)[2]
        assert r.first_pts(new) - r.first_pts(old) == pytest.approx(2000 * r.HZ, abs=r.HZ / 10)
        assert not {p for p in r.packets(new) if r.is_pes(p)} & set(r.packets(old))


@pytest.mark.parametrize(("where", "at"), [("begin", 0), ("middle", 2), ("end", 5)])
def test_a_slice_of_tables(simulated, where, at):
    part = simulated(f"tables_only:{where}", "leading_garbage").parts[0]
    assert [{r.pid_of(p) for p in slices_of(part)[at]}, len(part.segments)] == [{0, 0x1000}, 6]
    entry = part.playlist.entries[at]
    assert (entry.uri, entry.extinf) == (part.segments[at].name, 0.0)
    assert [bool(e.tags) for e in part.playlist.entries] == [True] + [False] * 5


def test_where_slices_and_playlists_lie(simulated):
    part = simulated("sub_folder").parts[0]
    assert all(e.uri.startswith("slices/") for e in part.playlist.entries)
    assert {e.uri for e in part.playlist.entries} == {s.name for s in part.segments}
    assert simulated("playlist_renamed").parts[0].playlist.name == "index.m3u8"
    for kind, begins in (("query", "74ec"), ("dot", "./74"), ("encoded", "%37")):
        (part,) = simulated(f"uri_form:{kind}").parts
        assert all(e.uri.startswith(begins) for e in part.playlist.entries)
        assert not {e.uri for e in part.playlist.entries} & {s.name for s in part.segments}


def test_packed_audio(simulated):
    part = simulated("packed_audio").parts[0]
    for segment in part.segments:
        frames = b"".join(unit.data for unit in segment.units)
        assert segment.name.endswith(".aac")
        assert segment.data.startswith(b"ID3\4\0\0")
        assert segment.data.endswith(frames)
        size = int.from_bytes(segment.data[6:10])  # below 128: one byte of seven bits
        assert len(segment.data) == 10 + size + len(frames)
        stamp = int.from_bytes(segment.data[2 + size : 10 + size])
        assert stamp == segment.clock + segment.units[0].time
    assert "VIDEO" not in part.playlist.data.decode()
