"""The meaning of Redis' refusals, and what to do about them.

The first words of a refusal are those of Redis and Valkey; services that offer them keep these words.
"""

from __future__ import annotations

from chatlog.cluster.engine import EngineAway
from chatlog.printable import printable

REPLICA = "it is a replica, and nothing can be written to it"
REACH = "start it, or look at its address in cluster.engine"
SPEECH = "look at its address in cluster.engine, and whether it has TLS (rediss://) or not (redis://)"
PASSWORD = "look at the user and the password in cluster.engine"
PRIMARY = "name the primary in cluster.engine, or the Sentinels"
CLUSTER_MODE = "use a server without cluster mode; this much fits on the smallest"
MEMORY = "give it more memory, or a server of its own"

#: The beginning of an answer, what it means, and what to do.
_MEANINGS = (
    ("WRONGPASS", "it refuses the user or the password", PASSWORD),
    ("NOAUTH", "it wants a password", "write redis://:password@host in cluster.engine"),
    # A long question of a client that has not logged in.
    (
        "Protocol error: unauthenticated",
        "it wants a password",
        "write redis://:password@host in cluster.engine",
    ),
    ("AUTH <password> called without", "it has no password, and one is given", PASSWORD),
    ("invalid password", "it refuses the password", PASSWORD),
    (
        "NOPERM",
        "the user may not do what is needed",
        "allow it: ACL SETUSER name on >password ~chatlog:* +@scripting +@read +@write +@hash +@string "
        "+time +info +role +select +ping",
    ),
    ("READONLY", REPLICA, PRIMARY),
    ("LOADING", "it has just started, and still reads its data", "wait"),
    ("MASTERDOWN", "it is a replica whose primary is away", PRIMARY),
    ("MOVED", "it is part of a Redis Cluster, and the keys are on another server", CLUSTER_MODE),
    ("CLUSTERDOWN", "it is part of a Redis Cluster that is down", CLUSTER_MODE),
    ("CROSSSLOT", "it is part of a Redis Cluster", CLUSTER_MODE),
    ("OOM", "its memory is full (maxmemory)", MEMORY),
    ("MISCONF", "it cannot write to its disk, and takes nothing meanwhile", "look at its log and its disk"),
    ("NOREPLICAS", "it has too few replicas, and takes nothing meanwhile", "look at min-replicas-to-write"),
    ("BUSY", "it is busy with a script", "see what else uses it: SLOWLOG GET"),
    ("DB index is out of range", "it has no database of that number", "write /0 in cluster.engine"),
    ("SELECT is not allowed", "it has no database of that number", "write /0 in cluster.engine"),
    ("max number of clients", "it has too many connections", "raise its maxclients"),
    ("WRONGTYPE", "another program uses the same keys", "give the cluster another name (cluster.name)"),
    (
        "unknown command",
        "it does not know a command that is needed",
        "use Redis 6.2, Valkey 7.2 or later",
    ),
)


def refusal(text: str) -> EngineAway:
    """The error for an answer that begins with ``-``, and perhaps ``-ERR``."""
    said = text.strip()
    # An error in a script has its own words around it.
    for beginning, why, remedy in _MEANINGS:
        if said.startswith(beginning) or f" {beginning}" in said or f"-{beginning}" in said:
            return EngineAway(why, remedy)
    return EngineAway(f"it answers with an error [{printable(said, 200)}]")


def certificate_remedy(trouble: str) -> str:
    """The remedy for trouble with a certificate; "" for other trouble with TLS."""
    if "not trusted" in trouble:
        return "name the file with its authority in cluster.ca_file"
    if "for another name" in trouble:
        return "write the name in cluster.engine that its certificate has"
    return ""
