"""Which engine an address stands for. What an engine needs is imported here, and only for a recorder that has
one."""

from __future__ import annotations

from importlib.util import find_spec

from chatlog.cluster.engine import Engine, EngineError
from chatlog.config.engine_address import ETCD, EngineAddress
from chatlog.network.dialing import Network


def missing_extra(address: EngineAddress) -> str:
    """Why the engine cannot be used with what is installed here, as the end of a sentence; "" if it can."""
    if address.kind == ETCD or find_spec("txredisapi") is not None:
        return ""
    return "Redis needs the package txredisapi; install it with pip install 'chatlog[cluster]'"


def open_engine(address: EngineAddress, cluster: str, network: Network, ca_file: str | None = None) -> Engine:
    """The engine at an address, for the cluster of that name (a-z, 0-9 and hyphens). It is not connected to
    before the first call. ``ca_file``: certificate authorities to trust beside those of the system. Raises
    EngineError if what it needs is not installed."""
    missing = missing_extra(address)
    if missing:
        raise EngineError(missing)
    if address.kind == ETCD:
        from chatlog.cluster.etcd_engine import EtcdEngine

        return EtcdEngine(address, cluster, network, ca_file)
    from chatlog.cluster.redis_engine import RedisEngine

    return RedisEngine(address, cluster, network, ca_file)
