"""Tells twistd that there is a command ``chatlog-archive``; what it does is in chatlog.archive_http.tap."""

from twisted.application.service import ServiceMaker

chatlog_archive = ServiceMaker(
    "chatlog-archive",
    "chatlog.archive_http.tap",
    "Serves what chatlog has recorded over HTTP.",
    "chatlog-archive",
)
