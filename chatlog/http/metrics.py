"""The state as Prometheus metrics. Every name begins with ``chatlog_``; docs/operate.md lists them all.

Labels are platforms, states, reasons and codes, of which there are few. There are metrics of single rooms
only with ``http.room_metrics``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chatlog.http.cluster_metrics import cluster_metrics
from chatlog.status.condition import CODES, SEVERITIES
from chatlog.status.room_stats import STATES, Facts
from chatlog.status.status import Status

#: The content type of the answer.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: The help texts of the totals, by their names in ``Counters``.
_TOTALS = {
    "received": "Lines and frames that arrived.",
    "appended": "Records handed to the recorder.",
    "written": "Records that the file system took.",
    "written_bytes": "Bytes of the records that the file system took.",
    "durable": "Records known to be on the disk.",
    "dropped": "Records that were not recorded; each is in a gap record.",
    "duplicates": "Copies that were recognised and left out.",
    "unparsed": "Lines and frames that could not be understood; they are recorded as unparsed.",
    "oversized": "Lines longer than the limit, whose head was recorded.",
    "gaps": "Gap records.",
    "backfilled": "Records made of what a service remembered, for gaps.",
    "sealed": "Files that were finished and are on the disk.",
    "packed": "Files that were compressed.",
    "uploaded": "Files that the store took.",
    "verified": "Files that were found whole in the store.",
    "deleted": "Files that were deleted here because they are in the store.",
    "quarantined": "How often a file was quarantined.",
    "upload_retries": "Attempts of an upload that failed.",
    "connects": "Connections that a platform welcomed.",
    "disconnects": "Connections that were lost.",
    "unknown": "Commands and events that no rule knows; they are recorded all the same.",
}
#: The labels of totals. The values listed here exist from the start, so that the first increase can be seen.
_LABELS = {
    "dropped": ("reason", ("overflow", "unwritten")),
    "upload_retries": (
        "class",
        ("transient", "object", "refused", "misconfigured", "corrupt", "clock", "conflict"),
    ),
    "connects": ("platform", ()),
    "disconnects": ("platform", ()),
    "unknown": ("platform", ()),
}

#: By section of the facts: key, name of the metric, help.
_GAUGES = {
    "spool": (
        ("durable_lag", "durable_lag_seconds", "For how long the oldest record is not yet on the disk."),
        ("ticked", "tick_age_seconds", "How long ago the recorder last wrote what it had."),
        ("buffered_bytes", "buffered_bytes", "Bytes of records that are not in a file yet."),
        ("bytes", "spool_bytes", "Bytes in the spool."),
        ("max_bytes", "spool_limit_bytes", "Bytes that the spool may take (recorder.max_size)."),
        ("open_files", "spool_open_files", "Files of the spool that are open."),
        ("free_bytes", "disk_free_bytes", "Bytes that are free on the file system of the spool."),
        ("disk_bytes", "disk_size_bytes", "Bytes of the file system of the spool."),
    ),
    "uploads": (
        ("waiting_files", "waiting_files", "Files that wait for their upload."),
        ("waiting_bytes", "waiting_bytes", "Bytes of the files that wait for their upload."),
        ("in_flight", "uploads_in_flight", "Uploads that are under way."),
        ("quarantined", "quarantined_files", "Files that are quarantined at present."),
        ("last_success", "last_upload_time_seconds", "When an upload last succeeded (Unix time)."),
    ),
    "process": (
        ("reactor_lag", "reactor_lag_seconds", "How late the reactor was, at worst in 30 seconds."),
        ("resident_bytes", "process_resident_bytes", "Memory of the process."),
        ("descriptors", "process_open_fds", "Open file descriptors of the process."),
    ),
    "clock": (("offset", "clock_offset_seconds", "By how much our clock is ahead of the platforms'."),),
}
#: The known states of the store. Another state gets a series of its own.
STORE_STATES = ("ok", "retrying", "refused", "clock wrong")


class Metrics(Collector):
    """Collects the state from ``status`` at each request."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format; to be sent with ``CONTENT_TYPE``."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing: without descriptions, registering does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics with their present values."""
        facts = self._status.snapshot()
        build = GaugeMetricFamily("chatlog_build_info", "Always 1.", labels=["version", "name", "parser"])
        build.add_metric([facts["version"], facts["instance"], facts["parser"]], 1)
        yield build
        yield GaugeMetricFamily(
            "chatlog_start_time_seconds", "When the process started (Unix time).", value=facts["started"]
        )
        for name, total in facts["counters"].items():
            yield _total(name, total, [platform["platform"] for platform in facts["platforms"]])
        for section, gauges in _GAUGES.items():
            for key, name, help_ in gauges:
                value = facts[section][key]
                if value is not None:
                    yield GaugeMetricFamily(f"chatlog_{name}", help_, value=value)
        yield GaugeMetricFamily(
            "chatlog_oldest_unuploaded_seconds",
            "Age of the oldest file that waits for its upload; 0 if none does.",
            value=facts["uploads"]["oldest"] or 0.0,
        )
        yield GaugeMetricFamily(
            "chatlog_disk_trouble",
            "1 while the disk does not take what is written.",
            value=float(bool(facts["spool"]["trouble"] or facts["spool"]["fatal"])),
        )
        yield CounterMetricFamily(
            "chatlog_process_cpu_seconds",
            "Processor time of the process.",
            value=facts["process"]["cpu_seconds"],
        )
        yield _store(facts)
        yield from _platforms(facts)
        if facts["cluster"] is not None:
            yield from cluster_metrics(facts["cluster"])
        yield GaugeMetricFamily(
            "chatlog_severity",
            "How bad the worst is: 0 nothing, 1 a note, 2 a warning, 3 critical.",
            value=SEVERITIES.index(facts["headline"]["severity"]),
        )
        yield _alarms(facts)
        if self._status.settings.http.room_metrics:
            yield from _rooms(self._status.rooms())


def _total(name: str, total: Any, platforms: list[str]) -> Metric:
    help_ = _TOTALS.get(name, f"{name.replace('_', ' ').capitalize()} since the process started.")
    if not isinstance(total, dict):
        return CounterMetricFamily(f"chatlog_{name}", help_, value=total)
    label, known = _LABELS.get(name, ("kind", ()))
    family = CounterMetricFamily(f"chatlog_{name}", help_, labels=[label])
    for kind in sorted({*known, *(platforms if label == "platform" else ()), *total}):
        family.add_metric([kind], total.get(kind, 0))
    return family


def _store(facts: Facts) -> Metric:
    family = GaugeMetricFamily(
        "chatlog_store_state", "1 for the state that the store is in.", labels=["state"]
    )
    state = facts["uploads"]["state"]
    for each in dict.fromkeys((*STORE_STATES, state)):
        family.add_metric([each], float(each == state))
    return family


def _platforms(facts: Facts) -> Iterator[Metric]:
    rooms = GaugeMetricFamily("chatlog_rooms", "Rooms by state.", labels=["platform", "state"])
    late = GaugeMetricFamily(
        "chatlog_rooms_late",
        "Rooms that have not been recorded for longer than http.health.room_grace, and are not acknowledged.",
        labels=["platform"],
    )
    acknowledged = GaugeMetricFamily(
        "chatlog_rooms_acknowledged",
        "Rooms that are not recorded, of which somebody has said that it is known.",
        labels=["platform"],
    )
    connections = GaugeMetricFamily(
        "chatlog_connections", "Connections by state.", labels=["platform", "state"]
    )
    for platform in facts["platforms"]:
        name = platform["platform"]
        for state in STATES:
            rooms.add_metric([name, state], platform["states"].get(state, 0))
        late.add_metric([name], platform["late"])
        acknowledged.add_metric([name], platform["acknowledged"])
        connections.add_metric([name, "up"], platform["up"])
        connections.add_metric([name, "down"], platform["connections"] - platform["up"])
    yield rooms
    yield late
    yield acknowledged
    yield connections


def _alarms(facts: Facts) -> Metric:
    active = [alarm["code"] for alarm in facts["alarms"]]
    family = GaugeMetricFamily("chatlog_alarm", "Active alarms by code.", labels=["code"])
    for code in CODES:
        family.add_metric([code], active.count(code))
    return family


def _rooms(rooms: Iterator[Facts]) -> Iterator[Metric]:
    labels = ["platform", "room"]
    recorded = GaugeMetricFamily("chatlog_room_recorded", "1 while the room is recorded.", labels=labels)
    rate = GaugeMetricFamily(
        "chatlog_room_messages_per_minute", "Records of the room in the last minute.", labels=labels
    )
    coverage = GaugeMetricFamily(
        "chatlog_room_coverage_ratio", "Share of today in which the room was recorded.", labels=labels
    )
    last = GaugeMetricFamily(
        "chatlog_room_last_record_time_seconds",
        "When the room's latest record was written (Unix time).",
        labels=labels,
    )
    for room in rooms:
        key = [room["platform"], room["name"]]
        recorded.add_metric(key, float(room["state"] == "recorded"))
        rate.add_metric(key, room["rate"])
        coverage.add_metric(key, room["coverage_today"])
        if room["last"] is not None:
            last.add_metric(key, room["last"])
    yield recorded
    yield rate
    yield coverage
    yield last
