"""Opens the engine at an address. The packages of an engine are imported here, only by a recorder that uses
it."""

from __future__ import annotations

from importlib.util import find_spec

from chatlog.cluster.engine import Engine, EngineError
from chatlog.config.engine_address import ETCD, EngineAddress
from chatlog.network.dialing import Network


def missing_extra(address: EngineAddress) -> str:
    """Which package is missing for the engine, as the end of a sentence; "" if none is."""
    if address.kind == ETCD or find_spec("txredisapi") is not None:
        return ""
    return "Redis needs the package txredisapi; install it with pip install 'chatlog[cluster]'"


def open_engine(address: EngineAddress, cluster: str, network: Network, ca_file: str | None = None) -> Engine:
    """The engine at an address, for the cluster of that name (a-z, 0-9 and hyphens). It is not connected to
    before the first call. ``ca_file``: certificate authorities to trust beside those of the system. Raises
    EngineError if its package is not installed."""
    missing = missing_extra(address)
    if missing:
        raise EngineError(missing)
    if address.kind == ETCD:
        from chatlog.cluster.etcd_engine import EtcdEngine

        return EtcdEngine(address, cluster, network, ca_file)
    from chatlog.cluster.redis_engine import RedisEngine

    return RedisEngine(address, cluster, network, ca_file)
