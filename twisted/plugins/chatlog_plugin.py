"""Tells twistd that there is a command ``chatlog``; what it does is in chatlog.entry."""

from twisted.application.service import ServiceMaker

chatlog = ServiceMaker(
    "chatlog",
    "chatlog.entry",
    "Records Twitch and Kick chat to files and ships them to object storage.",
    "chatlog",
)
