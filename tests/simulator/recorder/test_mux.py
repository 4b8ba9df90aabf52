"""Packets: what ffmpeg reads of them, and that they know what they carry."""

import json
import subprocess
from itertools import pairwise

from pipeline.simulator.recorder.mux import SIZE, section
from pipeline.simulator.recorder.values import HZ
from tests import recordings as r
from tests import ts


def packets_of(made):
    return [packet for segment in made.parts[0].segments for packet in segment.packets]


def test_ffmpeg_decodes_everything_without_a_complaint(stored, ffmpeg, tmp_path):
    stream = tmp_path / "all.ts"
    stream.write_bytes(b"".join(path.read_bytes() for path in sorted(stored().glob("*.ts"))))
    argv = [ffmpeg.ffprobe, "-v", "error", "-count_frames", "-show_entries"]
    argv += ["stream=codec_name,nb_read_frames,width,height,sample_rate", "-of", "json", stream]
    done = subprocess.run(argv, capture_output=True, check=True, env=ffmpeg.env or None)
    video, audio = json.loads(done.stdout)["streams"]
    assert done.stderr == b""
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 320, 180)
    assert (audio["codec_name"], audio["sample_rate"]) == ("aac", "48000")
    assert (int(video["nb_read_frames"]), int(audio["nb_read_frames"])) == (300, 938)


def test_an_independent_reader_finds_every_unit_at_its_time(simulated):
    # a fault that changes nothing here, so that there are packets to look at
    part = simulated("null_packets_added").parts[0]
    found = r.units([segment.data for segment in part.segments])
    made = [unit for segment in part.segments for unit in segment.units]
    for stream in ("video", "audio"):
        times = [unit.time for unit in made if unit.stream == stream]
        read = [unit.pts for unit in found if unit.kind == stream]
        assert len(read) == len(times)
        origin = part.segments[0].clock
        assert max(abs(a - b - origin) for a, b in zip(read, times, strict=True)) <= 1


def test_counters_go_on_from_slice_to_slice(simulated):
    counters = {}
    for packet in packets_of(simulated("leading_garbage")):
        assert len(packet.data) == SIZE
        assert packet.data[0] == 0x47
        expected = counters.get(packet.pid, packet.data[3] & 15)
        assert packet.data[3] & 15 == expected
        counters[packet.pid] = expected + 1 & 15


def test_every_packet_of_a_unit_names_it(simulated):
    for segment in simulated("leading_garbage").parts[0].segments:
        carried = [0] * len(segment.units)
        for packet in segment.packets:
            for number in packet.units:
                carried[number] += 1
        assert tuple(carried) == segment.needs
        for unit, count in zip(segment.units, carried, strict=True):
            least = -(-len(unit.data) // (SIZE - 4))
            # a frame of sound may begin at the end of one packet, and a PES has a header
            assert least <= count <= least + 1 + (unit.stream == "audio")


def test_the_clock_runs_behind_the_stamps(simulated):
    references = [
        int.from_bytes(p.data[6:10], "big") << 1 | p.data[10] >> 7
        for p in packets_of(simulated("leading_garbage"))
        if p.data[3] & 0x20 and p.data[4] >= 7 and p.data[5] & 0x10
    ]
    steps = [b - a for a, b in pairwise(references)]
    assert len(references) == 300
    assert all(0 < step <= HZ // 10 for step in steps)  # 100 ms at most


def test_a_table_has_the_checksum_of_the_standard():
    assert section(0, 1, b"\0\1\xf0\0") == ts.pat()
