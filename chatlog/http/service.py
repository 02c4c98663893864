"""Creates the HTTP service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatlog.config.settings import Settings
from chatlog.files import Files
from chatlog.http.api import Api, Rooms
from chatlog.http.cluster_api import Cluster, ClusterApi
from chatlog.http.live import Live
from chatlog.http.server import HttpServer
from chatlog.http.site import Root
from chatlog.recorder.recorder import Recorder
from chatlog.status.status import Status
from chatlog.suppression.left_out import LeftOut


def http_service(
    settings: Settings,
    reactor: Any,
    status: Status,
    recorder: Recorder,
    rooms: Rooms,
    files: Files,
    left_out: LeftOut | None = None,
    hurry: Callable[[], object] = lambda: None,
    cluster: Cluster | None = None,
) -> HttpServer:
    """The server of the page, the API, the health checks and the metrics. ``left_out`` as in ``Live``;
    ``hurry()`` lets finished files go to the store at once."""

    def rotate() -> None:
        recorder.rotate_now()
        hurry()

    api = Api(status, rooms, rotate, reactor.seconds, ClusterApi(cluster))
    live = Live(files, settings.recorder.directory, reactor, left_out)
    return HttpServer(settings.http, reactor, Root(status, recorder, api, live, reactor.seconds))
