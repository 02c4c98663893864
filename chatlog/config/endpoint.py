"""Reads the endpoint of a store, and finds the possible ways to address the bucket there."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

AUTO, PATH, VIRTUAL = "auto", "path", "virtual"
#: The first labels of stores' host names. A bucket may have such a name too.
_SERVICES = frozenset(
    {
        "s3",
        "storage",
        "fly",
        "t3",
        "minio",
        "object",
        "objects",
        "objectstorage",
        "cos",
        "r2",
        "gateway",
        "play",
    }
)
#: Stores that know (for newer buckets) virtual-hosted addresses only.
_VIRTUAL_ONLY = re.compile(
    r"(\.storage\.tigris\.dev|(^|\.)t3\.storage\.dev|(^|\.)storage\.dev|\.aliyuncs\.com|\.myqcloud\.com|"
    r"\.volces\.com|\.amazonaws\.com|\.amazonaws\.com\.cn)$"
)
#: Addresses of web pages, and the endpoints to use instead.
_PAGES: tuple[tuple[str, str], ...] = (
    (r"(^|\.)console\.aws\.amazon\.com$|\.s3-website[.-]", "https://s3.REGION.amazonaws.com"),
    (r"(^|\.)dash\.cloudflare\.com$|\.r2\.dev$", "https://ACCOUNT_ID.r2.cloudflarestorage.com"),
    (r"^(secure|www)\.backblaze\.com$|^f\d+\.backblazeb2\.com$", "https://s3.REGION.backblazeb2.com"),
    (r"^console\.wasabisys\.com$", "https://s3.REGION.wasabisys.com"),
    (r"^(console|www)\.tigris\.dev$|^console\.storage\.dev$|^(www\.)?tigrisdata\.com$", "https://t3.storage.dev"),
    (r"^cloud\.digitalocean\.com$|\.cdn\.digitaloceanspaces\.com$", "https://REGION.digitaloceanspaces.com"),
    (r"^console\.(cloud\.google|developers\.google)\.com$|^storage\.cloud\.google\.com$", "https://storage.googleapis.com"),
    (r"(^|\.)console\.aliyun\.com$", "https://oss-REGION.aliyuncs.com"),
    (r"^console\.(cloud\.tencent|tencentcloud)\.com$", "https://cos.REGION.myqcloud.com"),
    (r"^(www|manager)\.(eu|us|ca)?\.?ovh(cloud)?\.com$", "https://s3.REGION.io.cloud.ovh.net"),
    (r"^console\.hetzner\.(cloud|com)$", "https://REGION.your-objectstorage.com"),
    (r"^console\.scaleway\.com$", "https://s3.REGION.scw.cloud"),
    (r"^cloud\.linode\.com$", "https://REGION.linodeobjects.com"),
    (r"^console\.wasabi\.com$", "https://s3.REGION.wasabisys.com"),
    (r"^my\.vultr\.com$", "https://REGION.vultrobjects.com"),
    (r"^(portal|my)\.exoscale\.com$", "https://sos-ZONE.exo.io"),
    (r"^(app|console)\.idrivee2\.com$", "https://REGION.idrivee2-NUMBER.com"),
    (r"^(console\.|www\.)?filebase\.com$", "https://s3.filebase.com"),
    (r"^console\.(yandex\.cloud|cloud\.yandex\.(ru|com))$", "https://storage.yandexcloud.net"),
    (r"^cloud\.ibm\.com$", "https://s3.REGION.cloud-object-storage.appdomain.cloud"),
    (r"^(cloud|console\.[a-z0-9-]+)\.oracle(cloud)?\.com$", "https://NAMESPACE.compat.objectstorage.REGION.oraclecloud.com"),
    (r"^((app|www)\.)?supabase\.(com|io)$", "https://PROJECT.supabase.co/storage/v1/s3"),
    (r"^((www|link|eu1|us1|ap1)\.)?storj(share)?\.io$", "https://gateway.storjshare.io"),
)  # fmt: skip

#: Pages of MinIO's console and of those like it.
_CONSOLE = re.compile(r"/(?:minio/)?(?:login|browser|buckets(?=/.)|object-browser|dashboard)(?:/|\Z)")


class Door(NamedTuple):
    """One way to address a bucket. ``url`` is the address for the client. ``hosted``: the bucket is the first
    part of the host name (virtual-hosted), else of the path. ``sure``: nothing was guessed."""

    url: str
    hosted: bool
    sure: bool = True

    def __str__(self) -> str:
        return VIRTUAL if self.hosted else PATH


def doors_of(endpoint: str, bucket: str, addressing: str = AUTO) -> tuple[Door, ...]:
    """The possible ways to address a bucket, the likeliest first. Raises ValueError if ``endpoint`` cannot be
    one; the text is the rest of a sentence that begins with the endpoint."""
    parts = _parts(endpoint, bucket)
    base, path, host = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"), parts.hostname or ""
    if path.endswith(f"/{bucket}"):
        # Some stores' pages show the endpoint with the bucket. Tried last: the store itself has this path.
        bare = _doors(base, path.removesuffix(f"/{bucket}"), host, bucket, addressing)
        return (*bare, *_unsure(addressing, base + path))
    label, _, rest = host.partition(".")
    if host.startswith(f"{bucket}.") and label not in _SERVICES:
        rest = host.removeprefix(f"{bucket}.")
        if rest.count(".") >= 2 or rest == "localhost":
            inner = f"{parts.scheme}://{parts.netloc[len(bucket) + 1 :]}"
            if addressing == VIRTUAL:
                return (Door(base + path, True),)
            if addressing == PATH:
                return (Door(inner + path, False), *_unsure(addressing, base + path))
            return (Door(base + path, True), Door(inner + path, False), *_unsure(addressing, base + path))
    return _doors(base, path, host, bucket, addressing)


def _doors(base: str, path: str, host: str, bucket: str, addressing: str) -> tuple[Door, ...]:
    by_path = Door(base + path, False)
    hosted = hosted_at(base, bucket)
    if addressing == VIRTUAL:
        if hosted is None:
            raise ValueError(
                "is an IP address, which no bucket's name fits in front of; set s3.addressing: path"
            )
        return (Door(hosted + path, True),)
    if addressing == PATH or hosted is None or not fits_a_host(bucket, base):
        return (by_path,)
    by_host = Door(hosted + path, True)
    return (by_host, by_path) if _VIRTUAL_ONLY.search(host) else (by_path, by_host)


def _unsure(addressing: str, url: str) -> tuple[Door, ...]:
    return () if addressing == VIRTUAL else (Door(url, False, sure=False),)


def _parts(endpoint: str, bucket: str) -> SplitResult:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("is not an address that begins with https://")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("is more than https://host; leave out what stands behind ? and #, and before @")
    for pattern, right in _PAGES:
        if re.search(pattern, parts.hostname):
            raise ValueError(f"is a web page and not the S3 API; that is {right}")
    if re.search(r"\.(blob|dfs)\.core\.windows\.net$|^portal\.azure\.com$", parts.hostname):
        raise ValueError("is Azure, which has an API of its own; write archive.url: az://container")
    if _CONSOLE.match(parts.path) and parts.path.strip("/") != bucket:
        raise ValueError(
            "is a page of a web console; give https:// and the host and port of the S3 API alone"
        )
    return parts


def hosted_at(base: str, bucket: str) -> str | None:
    """The address with the bucket in front of the host name; None if the host is an IP address."""
    parts = urlsplit(base)
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return f"{parts.scheme}://{bucket}.{parts.netloc}"
    return None


def fits_a_host(bucket: str, base: str) -> bool:
    """Whether a bucket's name can be part of a host name. A certificate for ``*.host`` covers no dots."""
    if base.startswith("https:") and "." in bucket:
        return False
    return re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", bucket) is not None
