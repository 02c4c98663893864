"""The bucket's lifecycle rule that does what ``chatlog tier`` does, for pasting. Its forms, read 2026-11:

https://docs.aws.amazon.com/cli/latest/reference/s3api/put-bucket-lifecycle-configuration.html
https://developers.cloudflare.com/r2/buckets/object-lifecycles/
https://www.tigrisdata.com/docs/buckets/object-lifecycle-rules/
https://cloud.google.com/storage/docs/lifecycle-configurations
https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from chatlog.config.settings import Settings
from chatlog.config.storage_classes import R2, S3, TIGRIS, Family, StorageClass
from chatlog.store.archive import family_in

#: The name of the rule.
_NAME = "chatlog-tier"
_FILE = "lifecycle.json"
_DAY = 86400.0


def rule_of(settings: Settings, storage: StorageClass, after: float) -> Iterator[str]:
    """The rule and the command that sets it, as lines; a line about why there is none."""
    family = family_in(settings)
    bucket, prefix, endpoint = _place(settings)
    days = round(after / _DAY)
    if family.rules == "s3":
        rule, command = _s3(family, storage, bucket, prefix, endpoint, days)
    elif family.rules == "gcs":
        condition = {"age": days, "matchesPrefix": [prefix], "matchesStorageClass": [family.classes[0].name]}
        action = {"type": "SetStorageClass", "storageClass": storage.name}
        rule = {"rule": [{"action": action, "condition": condition}]}
        command = f"gcloud storage buckets update gs://{bucket} --lifecycle-file={_FILE}"
    elif family.rules == "azure":
        rule = _azure(storage, bucket, prefix, days)
        command = (
            "az storage account management-policy create --account-name ACCOUNT --resource-group GROUP "
            f"--policy @{_FILE}"
        )
    else:
        yield f"# {family.title} has no rule that moves objects to another class"
        return
    yield f"# Put this into {_FILE}, and then: {command}"
    yield "# It takes the place of all rules that the bucket has: add those to it."
    if family is TIGRIS:
        yield "# Tigris applies it to all objects of the bucket; chatlog tier moves bundles alone."
    yield from json.dumps(rule, indent=2).split("\n")


def _place(settings: Settings) -> tuple[str, str, str]:
    """The bucket, the prefix of its bundles, and the endpoint."""
    if settings.s3 is not None:
        inner, bucket, endpoint = settings.s3.prefix, settings.s3.bucket, settings.s3.endpoint or ""
    else:
        parts = urlsplit(settings.archive.url or "")
        inner, bucket, endpoint = parts.path.strip("/"), parts.netloc, ""
    return bucket, f"{inner.strip('/')}/bundle/" if inner.strip("/") else "bundle/", endpoint


def _s3(
    family: Family, storage: StorageClass, bucket: str, prefix: str, endpoint: str, days: int
) -> tuple[dict[str, Any], str]:
    within: dict[str, Any] = {"Prefix": prefix}
    if family is S3:
        # To move smaller objects would only raise the bill.
        within = {"And": {"Prefix": prefix, "ObjectSizeGreaterThan": 128 * 1024 - 1}}
    elif family is TIGRIS:
        within = {}
    rule = {
        "ID": _NAME,
        "Status": "Enabled",
        **({"Filter": within} if within else {}),
        "Transitions": [{"Days": days, "StorageClass": storage.name}],
    }
    there = f" --endpoint-url {endpoint}" if endpoint and (family is not S3 or family is R2) else ""
    command = (
        f"aws s3api put-bucket-lifecycle-configuration --bucket {bucket}{there} "
        f"--lifecycle-configuration file://{_FILE}"
    )
    return {"Rules": [rule]}, command


def _azure(storage: StorageClass, container: str, prefix: str, days: int) -> dict[str, Any]:
    action = {f"tierTo{storage.name}": {"daysAfterModificationGreaterThan": days}}
    filters = {"blobTypes": ["blockBlob"], "prefixMatch": [f"{container}/{prefix}"]}
    definition = {"actions": {"baseBlob": action}, "filters": filters}
    name = _NAME.replace("-", "")
    return {"rules": [{"enabled": True, "name": name, "type": "Lifecycle", "definition": definition}]}
