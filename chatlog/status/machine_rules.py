"""The rules for conditions of disk, store, process and clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from chatlog.config.schema import MOST_UPLOADS
from chatlog.config.settings import Settings
from chatlog.config.units import rough_duration, rough_size
from chatlog.counted import many
from chatlog.reasons import is_full, of_disk, of_file, of_store
from chatlog.status.condition import CRITICAL, NOTE, WARNING, Condition, Facts, Observed, percent

#: The state of a store that may recover by itself; every other one except ``ok`` needs a person.
RETRYING = "retrying"
CLOCK_WRONG = "clock wrong"
#: The most seconds by which the clocks may differ.
CLOCK_LIMIT = 10.0
#: Seconds after which an opt-out list that cannot be read is reported.
_STALE = 600.0
#: If a disk with so many free bytes accepts nothing, it lacks something other than bytes.
_MUCH = 16_000_000
#: After so many seconds the free bytes have been measured again.
_MEASURED = 30.0


def machine_rules(facts: Facts, observed: Observed, settings: Settings) -> Iterator[Condition]:
    """The conditions of the machine and the store."""
    yield from _process(facts, settings)
    yield from _disk(facts, settings)
    yield from _space(facts, settings)
    yield from _store(facts, settings)
    yield from _uploads(facts, settings)
    yield from _optouts(facts)
    yield from _clock(facts, observed)
    if observed.dropped:
        yield Condition(
            "RECORDS_DROPPED",
            WARNING,
            f"{many(observed.dropped, 'message')} could not be kept in the last hour; gap records say where",
            "Give the spool more room.",
            count=observed.dropped,
            due=False,
            brief=f"{many(observed.dropped, 'message')} could not be kept",
        )


def _process(facts: Facts, settings: Settings) -> Iterator[Condition]:
    limits = settings.http.health
    lag = facts["process"]["reactor_lag"]
    if lag > limits.reactor_lag:
        yield Condition(
            "REACTOR_BLOCKED",
            WARNING,
            f"the recorder did nothing for {rough_duration(lag)}",
            "The machine is too small, swaps, or its disk stalls.",
            part="reactor",
            alive=False,
            ready=False,
            brief=f"the recorder stood still for {rough_duration(lag)}",
        )
    ticked = facts["spool"]["ticked"]
    if ticked > limits.reactor_lag + settings.recorder.flush_interval:
        yield Condition(
            "RECORDER_STALLED",
            CRITICAL,
            f"nothing was written for {rough_duration(ticked)}, although the process runs",
            "Start the recorder again, and keep its log.",
            since=facts["now"] - ticked,
            part="recorder",
            alive=False,
            ready=False,
            brief=_not_written(facts["now"] - ticked, facts["now"], "the recorder is stuck"),
        )


def _disk(facts: Facts, settings: Settings) -> Iterator[Condition]:
    spool = facts["spool"]
    lag = spool["durable_lag"]
    raw = spool["fatal"] or spool["trouble"]
    if not raw and lag > settings.http.health.sync_lag:
        words = f"the disk has not confirmed for {rough_duration(lag)} what was written"
        yield Condition(
            "DISK_TROUBLE",
            CRITICAL,
            f"{words}; should the machine stop now, it may be lost",
            "Look at the disk: it is overloaded or failing.",
            since=facts["now"] - lag,
            part="disk",
            alive=False,
            ready=False,
            brief=f"{words[0].upper()}{words[1:]}",
        )
    if not raw:
        return
    reason = of_disk(raw)
    since = spool["trouble_since"] or facts["now"]
    if "no space left" in raw.lower() and spool["free_bytes"] > _MUCH and facts["now"] - since > _MEASURED:
        # The system reports every kind of exhausted resource as "no space".
        reason = reason._replace(
            remedy=f"{rough_size(spool['free_bytes'])} are free there, so it may be inodes that have run out "
            "(df -i): remove small files, or put recorder.directory on another disk."
        )
    all_of_it = bool(spool["fatal"]) or is_full(raw)
    state = _not_written(since, facts["now"], reason.words, all_of_it)
    held = f"messages wait in memory, {rough_size(spool['buffered_bytes'])} of "
    held += rough_size(settings.recorder.buffer_limit)
    lost = f"; {many(spool['dropped'], 'message')} could not be kept so far" if spool["dropped"] else ""
    yield Condition(
        "DISK_TROUBLE",
        CRITICAL,
        f"{state}; {held}{lost}",
        reason.remedy,
        since=since,
        raw=raw,
        part="disk" if spool["fatal"] else "recorder",
        alive=False,
        ready=False,
        brief=state,
    )


def _not_written(since: float, now: float, why: str, all_of_it: bool = True) -> str:
    at = datetime.fromtimestamp(since, UTC).strftime("%H:%M")
    what = "Nothing has been written" if all_of_it else "Not everything has been written"
    return f"{what} since {at} UTC ({rough_duration(max(1.0, now - since))}): {why}"


def _space(facts: Facts, settings: Settings) -> Iterator[Condition]:
    spool = facts["spool"]
    used = percent(spool["bytes"], spool["max_bytes"])
    if used >= settings.alarms.spool:
        yield Condition(
            "SPOOL_FILLING",
            WARNING,
            f"{used:.0f} % of the spool are taken ({rough_size(spool['max_bytes'])}, recorder.max_size); "
            "when it is full, new messages are not kept",
            "See that files leave for the store, or raise recorder.max_size if the disk has the space.",
            part="spool",
            ready=False,
            brief=f"the spool is {used:.0f} % full",
        )
    full = percent(spool["disk_bytes"] - spool["free_bytes"], spool["disk_bytes"])
    if full >= settings.alarms.disk:
        yield Condition(
            "DISK_FILLING",
            WARNING,
            f"{full:.0f} % of the file system are taken, {rough_size(spool['free_bytes'])} are free",
            "Make room on the disk of recorder.directory, or make it larger.",
            part="disk",
            ready=False,
            brief=f"the disk is {full:.0f} % full",
        )


def _store(facts: Facts, settings: Settings) -> Iterator[Condition]:
    uploads = facts["uploads"]
    since = uploads["state_since"]
    if since is None:
        return
    lasted = facts["now"] - since
    late = lasted > settings.http.health.store_grace
    passing = uploads["state"] == RETRYING
    reason = of_store(uploads["last_error"] or ("clock" if uploads["state"] == CLOCK_WRONG else ""))
    does, done = (
        ("does not take files", "has not taken files") if passing else ("refuses files", "has refused files")
    )
    why = f": {reason.words}" if reason.words else ""
    used = percent(facts["spool"]["bytes"], facts["spool"]["max_bytes"])
    filling = used >= settings.alarms.spool
    severity = WARNING if passing else CRITICAL
    yield Condition(
        "STORE_DOWN" if passing else "STORE_REFUSED",
        CRITICAL if filling else severity if late else NOTE,
        f"the store {done} for {rough_duration(lasted)}{why}. {_kept(facts, used)}",
        _sentence(uploads["remedy"])
        or reason.remedy
        or ("Chatlog tries again by itself." if passing else ""),
        since=since,
        count=uploads["waiting_files"],
        raw=uploads["last_error"] or uploads["state"],
        part="store",
        ready=not late,
        due=lasted >= settings.alarms.after,
        brief=f"the store {does}",
    )


def _optouts(facts: Facts) -> Iterator[Condition]:
    optouts = facts.get("optouts") or {}
    if (stale := optouts.get("stale", 0.0)) > _STALE:
        yield Condition(
            "OPTOUT_STALE",
            WARNING,
            f"the opt-out list could not be read for {rough_duration(stale)}; the last one stays in force, "
            "and who opted out since is still recorded",
            "See that the recorder may list and read objects below optout/ in the store.",
            since=facts["now"] - stale,
            brief="the opt-out list cannot be read",
        )
    if why := optouts.get("key"):
        yield Condition(
            "OPTOUT_KEY",
            CRITICAL,
            f"people who opted out are recorded, because the opt-out list cannot be applied: {why}",
            "Set archive.optout_key to the key with which the list was written (optout.key in the directory "
            "of the recorder or server that wrote the first entry).",
            brief="the opt-out list cannot be applied",
        )


def _kept(facts: Facts, used: float) -> str:
    """The fate of the files while the store does not accept them; ``used`` percent of the spool are full."""
    files = facts["uploads"]["waiting_files"]
    stay = (
        f"{many(files, 'file')} wait{'s' if files == 1 else ''} on the disk" if files else "No file waits yet"
    )
    room = f", and the spool is {used:.0f} % full" if used >= 1 else ""
    # A full disk has a condition of its own.
    safe = "" if facts["spool"]["trouble"] else "; nothing is lost as long as there is room"
    return f"{stay}{room}{safe}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _faster(settings: Settings) -> str:
    """Settings that would make uploads faster and that the configuration does not have yet."""
    more = settings.uploader.concurrency < MOST_UPLOADS
    hints = ["raise uploader.concurrency"] if more else []
    if settings.uploader.compression == "none":
        hints.append("use compression: zstd")
    hints.append("look at the line to the store, and at the store itself")
    return f"More is recorded than leaves: {', or '.join(hints)}."


def _uploads(facts: Facts, settings: Settings) -> Iterator[Condition]:
    uploads = facts["uploads"]
    waiting, oldest = uploads["waiting_files"], uploads["oldest"]
    limit = settings.http.health.upload_age
    if oldest is not None and oldest > limit:
        one = waiting == 1
        yield Condition(
            "UPLOAD_LATE",
            WARNING,
            f"{many(waiting, 'file')} wait{'s' if one else ''} for the upload, the oldest for "
            f"{rough_duration(oldest)}",
            _faster(settings),
            since=facts["now"] - oldest + limit,
            count=waiting,
            part="uploads",
            ready=False,
            brief="files wait too long for their upload",
            # Not if only quarantined files wait.
            explained="FILE_QUARANTINED" if 0 < waiting <= uploads["quarantined"] else "",
        )
    if uploads["quarantined"]:
        count = uploads["quarantined"]
        named, raw, remedy = "", "", ""
        if uploads["aside"]:
            first = uploads["aside"][0]
            raw = first["reason"]
            why = of_file(raw)
            remedy = f"{why.remedy} " if why.remedy else ""
            words = f"{first['name']} ({rough_size(first['size'])}): {why.words}"
            named = f": {words}" if count == 1 else f"; the oldest is {words}"
        yield Condition(
            "FILE_QUARANTINED",
            WARNING,
            f"{many(count, 'file')} cannot be uploaded and stay{'s' if count == 1 else ''} on the disk"
            f"{named}",
            f"{remedy}The log names each and says why. All others go on, and these are tried again.",
            count=count,
            raw=raw,
            brief=f"{many(count, 'file')} cannot be uploaded",
        )


def _clock(facts: Facts, observed: Observed) -> Iterator[Condition]:
    offset = facts["clock"]["offset"]
    if offset is not None and abs(offset) > CLOCK_LIMIT:
        way = "ahead of" if offset > 0 else "behind"
        words = f"the clock of this machine is {rough_duration(abs(offset))} {way} the time of the messages"
    elif observed.skewed:
        words = "the store says that the clock of this machine is wrong"
    else:
        return
    yield Condition(
        "CLOCK_OFF",
        NOTE if not observed.skewed else WARNING,
        words,
        "Let the machine keep its time (NTP, chrony).",
        brief="the clock of this machine is wrong",
    )
