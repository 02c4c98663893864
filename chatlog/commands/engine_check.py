"""Checks the engine of a cluster: whether recorders can meet there, and which recorders do."""

from __future__ import annotations

from chatlog.cluster.engine import EngineError
from chatlog.cluster.engines import open_engine
from chatlog.config.settings import ClusterSettings
from chatlog.counted import many
from chatlog.network.dialing import Network
from chatlog.printable import printable
from chatlog.rooms.visit import Steps, VisitFailed

#: The most names that are shown.
_SHOWN = 20


async def engine_check(cluster: ClusterSettings, network: Network, steps: Steps) -> str:
    """Check the engine, and list the recorders there. Returns a sentence. Raises VisitFailed."""
    try:
        engine = open_engine(cluster.engine, cluster.name, network, cluster.ca_file)
    except EngineError as error:
        raise VisitFailed(str(error)) from None
    steps.now = f"asking {engine.place}"
    try:
        found = await engine.check()
        if found:
            raise VisitFailed("; ".join(found))
        names = sorted((await engine.read()).lines)
    except EngineError as error:
        raise VisitFailed(f"{engine.place}: {error}{f'; {error.remedy}' if error.remedy else ''}") from None
    finally:
        engine.close()
    there = f"{many(len(names), 'recorder')} of the cluster {cluster.name}" if names else "nobody"
    who = f" ({', '.join(printable(name, 32) for name in names[:_SHOWN])})" if names else ""
    verb = "are" if len(names) > 1 else "is"
    return f"{engine.place}: it can be used; {there} {verb} there now{who}"
