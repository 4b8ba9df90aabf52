"""Published versions, entered into a ledger from their receipts."""

import sqlalchemy as sa
from msgspec import Struct

from pipeline.ledger.claims import PublishedVersion, keep
from pipeline.ledger.database.tables import now, recordings
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State


class Restored(Struct, frozen=True):
    """What the ledger keeps of a receipt."""

    recording: str
    source: str
    sid: str | None
    made: PublishedVersion


def enter(ledger: Ledger, destination: str, receipt: Restored) -> bool:
    """Enter a receipt; False if the ledger has this version or a newer one, or is working on it."""
    made = receipt.made
    row = {"name": receipt.recording, "sid": receipt.sid, "store": "", "place": ""}
    values = {"state": State.PUBLISHED, "version": made.version, "verdict": made.verdict.value}
    values |= {"since": now(), "done_fingerprint": None, "why": "rebuilt from its receipt"}
    own = (recordings.c.source == receipt.source, recordings.c.destination == destination)
    with ledger.writing() as connection:
        first = {"source": receipt.source, "destination": destination, "first_seen": now(), **row}
        insert = ledger.insert(recordings).values(**first, **values).on_conflict_do_nothing()
        rec_id = connection.execute(insert.returning(recordings.c.id)).scalar()
        if rec_id is None:
            older = (recordings.c.version < made.version, recordings.c.state != State.WORKING)
            update = sa.update(recordings).where(*own, *older).values(**values)
            rec_id = connection.execute(update.returning(recordings.c.id)).scalar()
        if rec_id is None:
            return False
        keep(ledger, connection, rec_id, made, token=0)
        ledger.record(connection, rec_id, "rebuilt", version=made.version, output=made.uri)
    return True
