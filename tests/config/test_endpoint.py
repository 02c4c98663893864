"""What people give as an endpoint, and what is meant by it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.endpoint import doors_of

#: Endpoint, bucket, setting; the addresses that are tried, with how.
DOORS: tuple[tuple[str, str, str, str], ...] = (
    (
        "https://s.example.net",
        "logs",
        "auto",
        "path https://s.example.net, virtual https://logs.s.example.net",
    ),
    ("https://s.example.net/", "logs", "path", "path https://s.example.net"),
    ("https://s.example.net//", "logs", "virtual", "virtual https://logs.s.example.net"),
    ("https://127.0.0.1:9000", "logs", "auto", "path https://127.0.0.1:9000"),
    ("http://[::1]:9000", "logs", "auto", "path http://[::1]:9000"),
    ("http://minio:9000", "logs", "auto", "path http://minio:9000, virtual http://logs.minio:9000"),
    ("https://s.example.net", "my.logs", "auto", "path https://s.example.net"),
    ("https://s.example.net", "My_Logs", "auto", "path https://s.example.net"),
    ("https://s.example.net", "my.logs", "virtual", "virtual https://my.logs.s.example.net"),
    (
        "https://fly.storage.tigris.dev",
        "logs",
        "auto",
        "virtual https://logs.fly.storage.tigris.dev, path https://fly.storage.tigris.dev",
    ),
    (
        "https://t3.storage.dev",
        "logs",
        "auto",
        "virtual https://logs.t3.storage.dev, path https://t3.storage.dev",
    ),
    (
        "https://a.r2.cloudflarestorage.com/logs",
        "logs",
        "auto",
        "path https://a.r2.cloudflarestorage.com, virtual https://logs.a.r2.cloudflarestorage.com, "
        "path? https://a.r2.cloudflarestorage.com/logs",
    ),
    (
        "https://p.supabase.co/storage/v1/s3",
        "logs",
        "path",
        "path https://p.supabase.co/storage/v1/s3",
    ),
    (
        "https://p.supabase.co/storage/v1/s3",
        "s3",
        "path",
        "path https://p.supabase.co/storage/v1, path? https://p.supabase.co/storage/v1/s3",
    ),
    (
        "https://logs.nyc3.digitaloceanspaces.com",
        "logs",
        "auto",
        "virtual https://logs.nyc3.digitaloceanspaces.com, path https://nyc3.digitaloceanspaces.com, "
        "path? https://logs.nyc3.digitaloceanspaces.com",
    ),
    (
        "https://s3.eu-west-1.wasabisys.com",
        "s3",
        "auto",
        "path https://s3.eu-west-1.wasabisys.com, virtual https://s3.s3.eu-west-1.wasabisys.com",
    ),
    ("https://logs.example.net", "logs", "path", "path https://logs.example.net"),
    (
        "https://s.example.net/login",
        "login",
        "path",
        "path https://s.example.net, path? https://s.example.net/login",
    ),
    ("https://x.supabase.co/storage/v1/s3", "logs", "path", "path https://x.supabase.co/storage/v1/s3"),
    ("https://gateway.storjshare.io", "logs", "path", "path https://gateway.storjshare.io"),
)

REFUSED: tuple[tuple[str, str], ...] = (
    ("s3.example.net", "not an address that begins with https://"),
    ("ftp://s3.example.net", "not an address that begins with https://"),
    ("https://", "not an address that begins with https://"),
    ("https://s.example.net?x=1", "leave out"),
    ("https://a:b@s.example.net", "leave out"),
    ("https://s3.console.aws.amazon.com/s3/buckets/logs", "https://s3.REGION.amazonaws.com"),
    ("https://logs.s3-website.eu-west-1.amazonaws.com", "https://s3.REGION.amazonaws.com"),
    ("https://dash.cloudflare.com/abc/r2/default/buckets/logs", "ACCOUNT_ID.r2.cloudflarestorage.com"),
    ("https://pub-123.r2.dev", "ACCOUNT_ID.r2.cloudflarestorage.com"),
    ("https://secure.backblaze.com/b2_buckets.htm", "https://s3.REGION.backblazeb2.com"),
    ("https://console.tigris.dev", "https://t3.storage.dev"),
    ("https://cloud.digitalocean.com/spaces/logs", "digitaloceanspaces.com"),
    ("https://console.cloud.google.com/storage/browser/logs", "https://storage.googleapis.com"),
    ("https://account.blob.core.windows.net", "az://container"),
    ("https://account.dfs.core.windows.net", "az://container"),
    ("https://portal.azure.com/#home", "leave out"),
    ("https://portal.azure.com/", "az://container"),
    ("https://console.wasabi.com/file_manager/logs", "wasabisys.com"),
    ("https://my.vultr.com", "vultrobjects.com"),
    ("https://console.yandex.cloud", "storage.yandexcloud.net"),
    ("https://cloud.oracle.com", "oraclecloud.com"),
    ("https://supabase.com/dashboard/project/x", "supabase.co/storage/v1/s3"),
    ("https://eu1.storj.io", "gateway.storjshare.io"),
    ("http://minio.example.net:9001/browser/logs", "web console"),
    ("http://minio.example.net:9001/buckets/logs/browse", "web console"),
    ("https://minio.example.net/login", "web console"),
)


class EndpointTests(SynchronousTestCase):
    """Addresses of stores."""

    def test_what_is_meant(self) -> None:
        """What stores show on their pages is understood, the likeliest meaning first; a question mark is at
        what has to be proven by a list."""
        for endpoint, bucket, addressing, expected in DOORS:
            listed = ", ".join(
                f"{door}{'' if door.sure else '?'} {door.url}"
                for door in doors_of(endpoint, bucket, addressing)
            )
            self.assertEqual(listed, expected, endpoint)

    def test_what_is_no_endpoint(self) -> None:
        """What can never be one is refused with what to write."""
        for endpoint, part in REFUSED:
            error = self.assertRaises(ValueError, doors_of, endpoint, "logs")
            self.assertIn(part, str(error))

    def test_no_bucket_in_front_of_a_number(self) -> None:
        """An IP address has no room for a bucket."""
        error = self.assertRaises(ValueError, doors_of, "https://10.0.0.1", "logs", "virtual")
        self.assertIn("s3.addressing: path", str(error))
