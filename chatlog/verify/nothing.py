"""The sentences for the case that nothing was found: of a room, of some days, or of anything."""

from __future__ import annotations

from chatlog.verify.findings import Totals
from chatlog.verify.rooms_there import RoomsThere
from chatlog.verify.scope import Scope


def nothing_found(
    archive: str, scope: Scope, totals: Totals, rooms: RoomsThere, days: tuple[str, str] | None
) -> list[str]:
    """A sentence for each requested room that the archive does not have, or else one if no object was
    checked; none if everything was found. ``days`` are the first and the last day of the manifests."""
    absent = sorted(room for room in scope.rooms if not rooms.has(room))
    found = [
        f"there is nothing of {platform}/{channel} in {archive}; {rooms.advice((platform, channel))}"
        for platform, channel in absent
    ]
    if found or not totals.empty:
        return found
    meant = f" of {' and '.join(f'{p}/{c}' for p, c in sorted(scope.rooms)[:5])}" if scope.rooms else ""
    if scope.all_days:
        # Perhaps the user meant another archive.
        of = meant or " of chatlog's"
        recorded = ", though there are manifests" if totals.manifests else "; is it the right place?"
        return [f"there is nothing{of} to look at in {archive}{recorded}"]
    there = f"; its manifests are {_span(days)}" if days else "; it has no manifests either"
    return [f"there is no object{meant} {scope.days} in {archive}{there}"]


def _span(days: tuple[str, str]) -> str:
    return f"of {days[0]}" if days[0] == days[1] else f"from {days[0]} to {days[1]}"
