"""Stores that speak another dialect, and what only looks like a store, over real HTTP: what is found out
about each before anything is stored there."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os

from chatlog.config.settings import S3Settings, Secret
from chatlog.store.object_store import ObjectStore, open_s3
from chatlog.store.proof import PROBE
from chatlog.store.store import EXISTS, MISCONFIGURED, OBJECT, REFUSED, TRANSIENT, UNSUPPORTED, StoreError
from tests.s3_server import Behaviour, Handler, fails
from tests.store.test_object_store import KEY_ID, SECRET, StoreCase

PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Welcome</body></html>"
KEY = "2025/12/29/twitch/ann/a.jsonl"


def by_path_only(handler: Handler) -> bool:
    """Knows no bucket in the host."""
    if handler.is_hosted:
        handler.error(400, "InvalidRequest", "no such host")
    return handler.is_hosted


def by_host_only(handler: Handler) -> bool:
    """Knows no bucket in the path, as Tigris says of new buckets."""
    if not handler.is_hosted:
        handler.error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    return not handler.is_hosted


def locked(handler: Handler) -> bool:
    """Wants a checksum, as a bucket with Object Lock does, and looks whether it is right."""
    if handler.command != "PUT":
        return False
    md5, sha = handler.headers.get("Content-MD5"), handler.headers.get("x-amz-checksum-sha256")
    if md5 is None and sha is None:
        handler.error(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required")
        return True
    right = {
        base64.b64encode(hashlib.md5(handler.body).digest()).decode(),
        base64.b64encode(hashlib.sha256(handler.body).digest()).decode(),
    }
    if {md5, sha} - {None} - right:
        handler.error(400, "BadDigest")
        return True
    return False


def locked_long_ago(handler: Handler) -> bool:
    """Wants an MD5, and takes any newer header for a mistake."""
    if handler.command == "PUT" and "x-amz-checksum-sha256" in handler.headers:
        handler.error(400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256' received")
        return True
    return locked(handler)


def without_checksums(handler: Handler) -> bool:
    """Takes any header of a checksum for a mistake."""
    if handler.command != "PUT" or not {"x-amz-checksum-sha256", "content-md5"} & {
        name.lower() for name in handler.headers
    }:
        return False
    handler.error(
        501, "NotImplemented", "A header you provided implies functionality that is not implemented"
    )
    return True


def other_checksums(handler: Handler) -> bool:
    """Wants a checksum that we do not know."""
    if handler.command == "PUT" and "x-amz-checksum-crc32" not in handler.headers:
        handler.error(400, "InvalidRequest", "The x-amz-checksum-crc32 header is required")
        return True
    return False


def never_content(handler: Handler) -> bool:
    """Wants a checksum, and knows none of those that there are."""
    if handler.command != "PUT":
        return False
    known = [name for name in ("Content-MD5", "x-amz-checksum-sha256") if name in handler.headers]
    if known:
        handler.error(400, "InvalidArgument", f"Unsupported header '{known[0]}' received")
    else:
        handler.error(400, "InvalidRequest", "Uploads to this bucket require CRC64NVME")
    return True


def miscounts(handler: Handler) -> bool:
    """Takes every SHA-256 for a wrong one."""
    if handler.command == "PUT" and "x-amz-checksum-sha256" in handler.headers:
        handler.error(400, "BadDigest", "The SHA256 you specified did not match the calculated checksum.")
        return True
    return False


def portal(handler: Handler) -> bool:
    """A captive portal or a console: its page to everything."""
    handler.answer(200, PAGE, Content_Type="text/html", ETag='"page"')
    return True


def portal_without_etag(handler: Handler) -> bool:
    """The same, without an ETag."""
    handler.answer(200, PAGE, Content_Type="text/html")
    return True


def login(handler: Handler) -> bool:
    """Sends everybody to a page."""
    handler.answer(302, Location="/login")
    return True


def console(handler: Handler) -> bool:
    """A page for who looks, and nothing else is allowed."""
    if handler.command in ("GET", "HEAD"):
        handler.answer(200, PAGE, Content_Type="text/html")
    else:
        handler.answer(405, b"<html><h1>405 Not Allowed</h1></html>", Content_Type="text/html")
    return True


def takes_everything(handler: Handler) -> bool:
    """Says that all is well and keeps nothing."""
    if handler.command == "PUT":
        handler.answer(200, ETag='"x"')
        return True
    return False


def error_with_200(handler: Handler) -> bool:
    """Answers every request with an error in the body of a success."""
    handler.answer(200, b"<Error><Code>InternalError</Code></Error>", ETag='"x"')
    return True


def moved(handler: Handler) -> bool:
    """The bucket is in another region."""
    body = (
        b"<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be "
        b"addressed using the specified endpoint.</Message>"
        b"<Endpoint>bucket.s3.eu-north-1.example.net</Endpoint><Bucket>bucket</Bucket></Error>"
    )
    handler.answer(301, body, x_amz_bucket_region="eu-north-1")
    return True


def no_delete(handler: Handler) -> bool:
    """Credentials that may write, but not delete or list."""
    if handler.command == "DELETE" or "list-type" in handler.path:
        handler.error(403, "AccessDenied")
        return True
    return False


class DialectCase(StoreCase):
    """One server that is called ``store.test``, too."""

    def open(self, endpoint: str = "", addressing: str = "auto", bucket: str = "bucket") -> ObjectStore:
        keys = Secret(KEY_ID), Secret(SECRET)
        settings = S3Settings(bucket, "us-east-1", endpoint or self.s3.endpoint, *keys, addressing=addressing)
        return open_s3(settings, 1000, 10.0)

    def name_it(self) -> None:
        """Every name leads to the server, as it does through a proxy."""
        for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
            old = os.environ.pop(name, None)
            self.addCleanup(os.environ.pop, name, None)
            if old is not None:
                self.addCleanup(os.environ.__setitem__, name, old)
        os.environ["http_proxy"] = os.environ["HTTP_PROXY"] = self.s3.endpoint

    def assertStores(self, store: ObjectStore, *parts: str) -> None:
        """It is ready, says these things, and an object arrives under its own key, once."""
        told = store.prepare()
        for part in parts:
            self.assertIn(part, told)
        store.put_new(KEY, b"data", {"Content-Type": "text/plain"})
        self.assertEqual({key: d for key, d in self.s3.objects.items() if key != PROBE}, {KEY: b"data"})
        error = self.assertRaises(StoreError, store.put_new, KEY, b"other", {})
        self.assertEqual(error.kind, EXISTS)
        head = store.head(KEY)
        assert head is not None
        self.assertEqual((head.size, b"".join(store.read(KEY))), (4, b"data"))
        self.assertEqual([found.key for found in store.list("2025/")], [KEY])

    def refusal(self, store: ObjectStore) -> StoreError:
        """The way that is found out; nothing was stored, and the number of requests is bounded."""
        error: StoreError = self.assertRaises(StoreError, store.prepare)
        self.assertEqual(self.s3.objects, {})
        self.assertLess(len(self.s3.requests), 40)
        return error


class AddressingTests(DialectCase):
    """Where the bucket is in an address."""

    def test_by_path(self) -> None:
        """A store that takes the bucket in the path only."""
        self.name_it()
        self.s3.always = by_path_only
        for addressing in ("auto", "path"):
            self.s3.objects.clear()
            self.assertStores(self.open("http://store.test", addressing), "path-style", "conditional create")
        self.assertEqual(self.refusal_kind("virtual"), REFUSED)

    def test_by_host(self) -> None:
        """A store that takes the bucket in the host only, as Tigris."""
        self.name_it()
        self.s3.always = by_host_only
        for addressing in ("auto", "virtual"):
            self.s3.objects.clear()
            self.assertStores(self.open("http://store.test", addressing), "virtual-style")
        self.assertEqual(self.refusal_kind("path"), MISCONFIGURED)

    def refusal_kind(self, addressing: str) -> str:
        """The kind of refusal that a setting ends in."""
        self.s3.objects.clear()
        self.s3.requests.clear()
        return str(self.refusal(self.open("http://store.test", addressing)).kind)

    def test_words_for_no_paths(self) -> None:
        """In whatever words a store refuses: auto finds the host, and with path the remedy is to change
        it."""
        self.name_it()
        for answer in (
            fails(400, "PathStyleNotSupported"),
            fails(403, "PathStyleAccessDenied"),
            fails(400, "InvalidRequest", "Path-style access is not supported"),
            fails(421, ""),
            fails(301, "PermanentRedirect"),
        ):
            self.s3.always = lambda handler, answer=answer: not handler.is_hosted and answer(handler)
            self.s3.objects.clear()
            self.assertStores(self.open("http://store.test"), "virtual-style")
            self.s3.objects.clear()
            self.s3.requests.clear()
            error = self.refusal(self.open("http://store.test", "path"))
            if "Path" in error.code or "Path" in str(error):
                self.assertEqual(error.remedy, "set s3.addressing: virtual")

    def test_world_changes(self) -> None:
        """A store that changes its behaviour is noticed by the next prepare."""
        self.name_it()
        store = self.open("http://store.test")
        self.assertIn("path-style", store.prepare())
        self.s3.always = by_host_only
        self.assertEqual(self.assertRaises(StoreError, store.put_new, KEY, b"", {}).kind, MISCONFIGURED)
        self.assertStores(store, "virtual-style")

    def test_reader(self) -> None:
        """Who only reads finds the address without storing anything."""
        self.name_it()
        self.s3.always = by_host_only
        self.s3.objects[KEY] = b"data"
        store = self.open("http://store.test")
        self.assertEqual([head.key for head in store.list()], [KEY])
        self.assertEqual(b"".join(self.open("http://store.test").read(KEY)), b"data")
        self.assertEqual({command for command, _ in self.s3.requests}, {"GET"})

    def test_environment(self) -> None:
        """The variable of the environment is honoured where the settings leave it open."""
        self.name_it()
        self.environ(AWS_VIRTUAL_HOSTED_STYLE_REQUEST="true")
        self.assertIn("virtual-style", self.open("http://store.test").prepare())
        self.assertIn("path-style", self.open("http://store.test", "path").prepare())
        os.environ["AWS_VIRTUAL_HOSTED_STYLE_REQUEST"] = "false"
        self.assertIn("path-style", self.open("http://store.test").prepare())

    def test_bucket_at_the_end(self) -> None:
        """An endpoint as R2 shows it, with the bucket at its end, is understood; keys are what they should
        be."""
        for end in ("/bucket", "/bucket/", "/"):
            self.s3.objects.clear()
            self.assertStores(self.open(self.s3.endpoint + end), "path-style")

    def test_bucket_in_the_host(self) -> None:
        """An endpoint with the bucket in its host, as DigitalOcean shows it, is understood."""
        self.name_it()
        for addressing, told in (
            ("auto", "virtual-style"),
            ("virtual", "virtual-style"),
            ("path", "path-style"),
        ):
            self.s3.objects.clear()
            self.assertStores(self.open("http://bucket.a.store.test", addressing), told)
        self.s3.always = by_path_only
        self.s3.objects.clear()
        self.assertStores(self.open("http://bucket.a.store.test"), "path-style")

    def test_name_that_belongs_to_a_bucket(self) -> None:
        """A name under which there is one bucket only would put the bucket into every key: that is found
        out by a list, and refused."""

        def one_bucket(handler: Handler) -> bool:
            handler.path = f"/bucket{handler.path}"
            return False

        self.s3.always = one_bucket
        error = self.refusal(self.open())
        self.assertEqual((error.kind, error.code), (MISCONFIGURED, "bucket in the endpoint"))
        self.assertIn("without the bucket", error.remedy)


class ChecksumTests(DialectCase):
    """What vouches for the bytes on their way."""

    def test_sent(self) -> None:
        """An ordinary store gets the SHA-256 of what is sent."""
        self.assertStores(self.open(), "SHA-256 sent")
        digest = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
        self.assertEqual(self.s3.headers[KEY]["x-amz-checksum-sha256"], digest)

    def test_object_lock(self) -> None:
        """Buckets with Object Lock take uploads, whichever checksum they know; no knowledge is no
        hindrance."""
        for behaviour, told in (
            (locked, "SHA-256 sent"),
            (locked_long_ago, "MD5 sent"),
            (without_checksums, "no checksum sent"),
        ):
            self.s3.always = behaviour
            self.s3.objects.clear()
            self.assertStores(self.open(), told, "conditional create")

    def test_only_others(self) -> None:
        """A store that wants a checksum which we do not know, or refuses all that we do, is refused with what
        to do; one that finds fault with a right one gets none."""
        for behaviour in (other_checksums, never_content):
            self.s3.always = behaviour
            error = self.refusal(self.open())
            self.assertEqual(error.kind, UNSUPPORTED)
            self.assertIn("SHA-256 or an MD5", error.remedy)
        self.s3.always = miscounts
        self.assertStores(self.open(), "no checksum sent", "conditional create")

    def test_no_longer_known(self) -> None:
        """A store that wants another checksum than when it was asked gets it."""
        store = self.open()
        store.prepare()
        self.s3.always = locked_long_ago
        store.prepare()
        store.put_new(KEY, b"data", {})
        self.s3.always = without_checksums
        store.put_new(KEY + "2", b"data", {})
        self.assertEqual(len(self.s3.objects), 2)


class NoStoreTests(DialectCase):
    """What answers, and is no store."""

    def test_pages(self) -> None:
        """A captive portal, a console or whatever says yes to all is refused with what to do."""
        for behaviour in (portal, portal_without_etag, error_with_200):
            self.s3.always = behaviour
            error = self.refusal(self.open())
            self.assertEqual((error.kind, error.code), (MISCONFIGURED, "no object store"), behaviour)
            self.assertIn("S3 API", error.remedy)
            self.s3.requests.clear()
        for behaviour in (login, console):
            self.s3.always = behaviour
            error = self.refusal(self.open())
            self.assertEqual(error.kind, MISCONFIGURED, behaviour)
            self.assertTrue(error.remedy)
            self.s3.requests.clear()

    def test_read_only(self) -> None:
        """Whoever only reads is told as well: whatever document comes in place of a list, of an object or of
        what is known of one, it is not taken for an empty archive or for an object."""

        def document(status: int, body: bytes, **headers: str) -> Behaviour:
            def behave(handler: Handler) -> bool:
                listing = "list-type" in handler.path
                handler.answer(200 if listing else status, body, Content_Type="text/html", **headers)
                return True

            return behave

        whole = {"ETag": '"x"', "Last_Modified": "Mon, 29 Dec 2025 10:30:00 GMT"}
        for behaviour in (
            *(portal, portal_without_etag, error_with_200, document(404, PAGE), document(403, PAGE)),
            *(document(200, body) for body in (b"", b"{}", b"hello", b"<feed/>", b"<?xml version='1.0'?>")),
            document(200, PAGE, **whole),
        ):
            self.s3.always = behaviour
            for call in (lambda store: list(store.list("2025/")), lambda store: list(store.folders())):
                error = self.assertRaises(StoreError, call, self.open())
                self.assertEqual((error.kind, error.of_all), (MISCONFIGURED, True), behaviour)
                self.assertIn("not an object store", str(error))
                self.assertIn("S3 API", error.remedy)
        for behaviour in (portal, portal_without_etag, document(200, PAGE, **whole)):
            self.s3.always = behaviour
            error = self.assertRaises(StoreError, lambda: list(self.open().read(KEY)))
            self.assertEqual(error.code, "no object store")
        self.s3.always = portal_without_etag
        error = self.assertRaises(StoreError, lambda: self.open().head(KEY))
        self.assertEqual(error.code, "no object store")

    def test_empty_archives(self) -> None:
        """A store with nothing in it lists nothing, and is looked at once; what an object that is a page is
        called says so."""
        store = self.open()
        for _ in range(3):
            self.assertEqual(
                (list(store.list()), list(store.list("2025/")), list(store.folders())), ([], [], [])
            )
        looked = [key for command, key in self.s3.requests if key.startswith(PROBE)]
        self.assertEqual(len(looked), 1)
        self.s3.objects["index.html"] = PAGE
        self.assertEqual(b"".join(store.read("index.html")), PAGE)

    def test_sent_elsewhere(self) -> None:
        """A redirect without words names the address that it leads to, if the object would be there; one
        without an address says what to look at."""
        for status in (301, 302, 307, 308):

            def secured(handler: Handler, status: int = status) -> bool:
                handler.answer(status, Location=f"https://s3.elsewhere.test{handler.path}")
                return True

            self.s3.always = secured
            error = self.refusal(self.open())
            self.assertEqual(error.remedy, "set s3.endpoint: https://s3.elsewhere.test", status)

            def page(handler: Handler, status: int = status) -> bool:
                handler.answer(status, Location="https://portal.test/login")
                return True

            self.s3.always = page
            self.assertIn("S3 API", self.refusal(self.open()).remedy)

            def nowhere(handler: Handler, status: int = status) -> bool:
                handler.answer(status)
                return True

            self.s3.always = nowhere
            self.assertIn("s3.endpoint", self.refusal(self.open()).remedy)

    def test_keeps_nothing(self) -> None:
        """A store that takes everything and has nothing is not believed."""
        self.s3.always = takes_everything
        error = self.refusal(self.open())
        self.assertEqual((error.kind, error.code), (TRANSIENT, "not stored"))

    def test_other_region(self) -> None:
        """A redirect names the endpoint and the region that the store gives."""
        self.s3.always = moved
        error = self.refusal(self.open())
        self.assertEqual(error.kind, MISCONFIGURED)
        self.assertIn("bucket.s3.eu-north-1.example.net", str(error))
        self.assertEqual(
            error.remedy, "set s3.endpoint: http://s3.eu-north-1.example.net and s3.region: eu-north-1"
        )


class OddAnswerTests(DialectCase):
    """Answers that lack something."""

    def test_heads(self) -> None:
        """A HEAD that gives too little, or is not allowed, is replaced by a GET."""

        def head(answer: Behaviour) -> Behaviour:
            return lambda handler: handler.command == "HEAD" and answer(handler)

        def no_length(handler: Handler) -> bool:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            return True

        def refused(handler: Handler) -> bool:
            handler.answer(405)
            return True

        def forbidden(handler: Handler) -> bool:
            handler.answer(403)
            return True

        def empty(handler: Handler) -> bool:
            handler.answer(200, ETag='"x"')
            return True

        def bad_time(handler: Handler) -> bool:
            handler.answer(200, Last_Modified="yesterday")
            return True

        for answer in (no_length, refused, forbidden, empty, bad_time):
            self.s3.always = head(answer)
            self.s3.objects.clear()
            self.assertStores(self.open(), "HEAD shows no size")

    def test_gets(self) -> None:
        """An object without a length, as a proxy that compresses sends it, is read all the same."""

        def chunked(handler: Handler) -> bool:
            if handler.command not in ("GET", "HEAD") or "list-type" in handler.path:
                return False
            data = self.s3.objects.get(handler.key)
            if data is None:
                return False
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            if handler.command == "GET":
                handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
            return True

        self.s3.always = chunked
        self.assertStores(self.open(), "HEAD shows no size")

    def test_few_rights(self) -> None:
        """Credentials that may neither list nor delete may store; the probe stays, and is harmless."""
        self.s3.always = no_delete
        self.assertIn("nothing may be deleted", self.open().prepare())
        self.assertIn("nothing may be deleted", self.open().prepare())
        self.assertEqual(self.s3.objects, {PROBE: b"chatlog"})
        self.open().put_new(KEY, b"data", {})
        self.assertEqual(self.s3.objects[KEY], b"data")

    def test_somebody_elses_probe(self) -> None:
        """An object that happens to have the probe's name stays as it is."""
        self.s3.objects[PROBE] = b"mine"
        self.open().prepare()
        self.assertEqual(self.s3.objects, {PROBE: b"mine"})

    def test_refusals_to_replace(self) -> None:
        """A second create that is refused, in whatever words, is no trouble, also where nothing may be
        deleted and the probe of an earlier start is met again."""

        def refused(answer: Behaviour, deletes: bool) -> Behaviour:
            def behave(handler: Handler) -> bool:
                if handler.command == "DELETE" and not deletes:
                    handler.error(403, "AccessDenied")
                    return True
                return handler.command == "PUT" and handler.key in self.s3.objects and answer(handler)

            return behave

        def json(handler: Handler) -> bool:
            handler.answer(409, b'{"error":{"code":409,"errors":[{"reason":"conflict"}]}}')
            return True

        for answer in (
            fails(409, "ObjectIsThere"),
            fails(409, "Conflict"),
            fails(409, "OperationAborted"),
            fails(409, "LeaseIdMissing"),
            fails(403, "AccessDenied"),
            fails(403, "AccessDenied", "Access Denied because object protected by object lock."),
            fails(400, "InvalidRequest"),
            json,
        ):
            for deletes in (True, False):
                self.s3.objects.clear()
                self.s3.always = refused(answer, deletes)
                self.assertIn("conditional create", self.open().prepare())
                store = self.open()
                self.assertIn("conditional create", store.prepare())
                store.put_new(KEY, b"data", {})
                self.assertIn(
                    self.assertRaises(StoreError, store.put_new, KEY, b"x", {}).kind,
                    (EXISTS, REFUSED, OBJECT),
                )
                self.assertEqual(self.s3.objects[KEY], b"data")

    def test_creates_of_no_use(self) -> None:
        """A store that takes a conditional create for something else is asked without."""
        for answer in (
            fails(412, "PreconditionFailed"),
            fails(404, "NoSuchKey"),
            fails(400, "InvalidArgument"),
        ):
            self.s3.objects.clear()
            self.s3.always = lambda handler, answer=answer: (
                "If-None-Match" in handler.headers and answer(handler)
            )
            self.assertStores(self.open(), "no conditional create")

    def test_compressed_on_the_way(self) -> None:
        """A proxy that compresses what is read is reported as that."""

        def compressed(handler: Handler) -> bool:
            if handler.command != "GET" or handler.key not in self.s3.objects:
                return False
            handler.answer(
                200,
                gzip.compress(self.s3.objects[handler.key]),
                ETag='"x"',
                Last_Modified="Mon, 29 Dec 2025 10:30:00 GMT",
                Content_Encoding="gzip",
            )
            return True

        self.s3.always = compressed
        error = self.refusal(self.open())
        self.assertEqual(error.kind, MISCONFIGURED)
        self.assertIn("compress", error.remedy)

    def test_two_recorders(self) -> None:
        """A probe that another recorder removes in between is stored again."""

        def gone(handler: Handler) -> bool:
            self.s3.objects.pop(PROBE)
            return False

        self.s3.gets = [gone]
        self.assertStores(self.open(), "conditional create")

    def test_conflicts(self) -> None:
        """However a store says that an object is there, it is known."""
        for status, code in ((409, "BlobAlreadyExists"), (409, ""), (412, ""), (409, "FileAlreadyExists")):

            def taken(handler: Handler, status: int = status, code: str = code) -> bool:
                if handler.command == "PUT" and handler.key in self.s3.objects:
                    if code:
                        handler.error(status, code)
                    else:
                        handler.answer(status)
                    return True
                return False

            self.s3.always = taken
            self.s3.objects.clear()
            self.assertStores(self.open(), "conditional create")
