"""Cleanup: what may be deleted because a receipt proves it safe elsewhere, and its deletion.

The rules are those of ``docs/cleanup.md``.  Times are seconds since the epoch, sizes bytes; every
function that asks a store raises the errors of the store.
"""
