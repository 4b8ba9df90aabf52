"""What can go wrong with a recording: one function for each kind, which says what it did.

A fault changes packets, slots and text, and never says what the product should find: the truth is
worked out afterwards from what is left.  It notes only what nobody can know any more.  A fault that
does not fit raises :class:`~tests.trial.faults.choose.Unfit`.
"""

from collections.abc import Callable

from tests.trial.faults import bits, clocks, files, foreign, lists, nature, packets, streams
from tests.trial.recordings import Recording

Kind = Callable[[Recording], str]

NATURE: tuple[Kind, ...] = (
    nature.late_sound,
    nature.late_pictures,
    nature.pause,
    nature.still_screen,
)
KINDS: tuple[Kind, ...] = (
    *NATURE,
    files.slice_gone,
    files.slice_empty,
    files.slice_html,
    files.zero_block,
    files.cut_end,
    files.cut_head,
    files.cut_inside,
    files.two_cut,
    files.garbage_behind,
    files.garbage_before,
    files.zeros_behind,
    packets.lost_of_one,
    packets.lost_range,
    packets.lost_sixteen,
    packets.lost_sound_pes,
    packets.sent_again,
    packets.duplicates,
    packets.triples,
    packets.null_packets,
    packets.filled_adaptation,
    packets.tables_missing,
    packets.tables_only,
    bits.flipped_pts,
    bits.flipped_dts,
    bits.flipped_pes_header,
    bits.flipped_start_code,
    bits.flipped_transport_header,
    bits.flipped_adaptation,
    bits.flipped_payload,
    bits.transport_error,
    bits.scrambled_bits,
    bits.wrong_pes_length,
    bits.adts_bits,
    lists.listed_twice,
    lists.copied_over,
    lists.swapped,
    lists.swapped_beside_gone,
    lists.holds_the_next,
    lists.line_removed,
    lists.line_and_file_removed,
    lists.playlist_cut,
    lists.no_endlist,
    lists.wrong_extinf,
    lists.rounded_extinf,
    clocks.sound_shifted,
    clocks.pictures_shifted,
    clocks.clock_steps_once,
    clocks.clock_restarts,
    clocks.clock_restarts_declared,
    clocks.clock_jumps_declared,
    clocks.names_step_beside_gone,
    clocks.first_stamps_zero,
    clocks.dts_repeats,
    clocks.dts_back,
    streams.sound_missing,
    streams.pictures_missing,
    streams.sound_garbage,
    streams.pids_change,
    foreign.foreign_clock,
    foreign.foreign_format,
    foreign.foreign_length,
)
