"""What the answers of stores mean, and how errors of the library are explained."""

from __future__ import annotations

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from twisted.trial.unittest import SynchronousTestCase

from chatlog.store.answers import answer_of
from chatlog.store.explained import explained
from chatlog.store.store import (
    ARCHIVED,
    CLOCK,
    EXISTS,
    MISCONFIGURED,
    MISSING,
    OBJECT,
    REFUSED,
    TRANSIENT,
    UNSUPPORTED,
)

KEY_ID = "AKIAMADEUPMADEUP0001"
SECRET = "made/up+secret+of+a+bucket+and+no+other0"
ADDRESS = "https://store.example.net/logs/2025/12/29/a.jsonl"


def answered(status: str, body: str = "") -> str:
    """The text of an error that the store answered with."""
    return (
        f"Generic S3 error: Error performing PUT {ADDRESS} in 1.2ms - Server returned non-2xx status "
        f"code: {status}: {body}\n\nDebug source:\nGeneric {{ store: S3 }}"
    )


def body(code: str, message: str = "", more: str = "") -> str:
    """What S3 says in an error."""
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>1</RequestId></Error>"


def unanswered(kind: str, cause: str) -> str:
    """The text of an error before any answer."""
    return (
        f"Generic S3 error: Error performing PUT {ADDRESS} in 1.2ms - HTTP error: error sending request\n\n"
        f'Debug source:\nHttp(HttpError {{ kind: {kind}, source: Error {{ code: 1, message: "{cause}" }} }})'
    )


class FormTests(SynchronousTestCase):
    """Codes that are in no list."""

    def test_by_form(self) -> None:
        """An unknown code of a store is understood by its form if possible."""
        for status, code, kind, of_all, remedy in (
            (409, "EntityAlreadyExists", EXISTS, False, ""),
            (409, "ObjectExistsAlready", EXISTS, False, ""),
            (409, "BucketAlreadyExists", TRANSIENT, False, ""),
            (403, "TenantQuotaExceeded", REFUSED, False, "quota"),
            (403, "EntityQuotaExceeded", REFUSED, False, "quota"),
            (400, "StorageFullException", REFUSED, False, "quota"),
            (400, "ObjectTooLarge", OBJECT, False, "rotate_size"),
            (404, "NamespaceNotFound", MISCONFIGURED, True, "bucket"),
            (404, "NoSuchProject", MISCONFIGURED, True, "bucket"),
            (400, "RequestThrottledException", TRANSIENT, True, ""),
            (400, "PathStyleNotEnabled", MISCONFIGURED, True, "s3.addressing: virtual"),
            (403, "SessionTokenExpired", REFUSED, True, "credentials"),
            (403, "accessNotConfigured", REFUSED, True, "service"),
            (400, "KMSAccessDenied", REFUSED, False, "encrypted"),
            (404, "NoSuchUpload", MISSING, False, ""),
        ):
            answer = answer_of(status, code)
            self.assertEqual((answer.kind, answer.of_all), (kind, of_all), code)
            self.assertIn(remedy, answer.remedy, code)

    def test_page_in_front(self) -> None:
        """A refusal that is a web page is reported as coming from something in front of the store."""
        text = answered("403 Forbidden", "<html><title>Blocked</title></html>")
        error = explained(PermissionDeniedError(text))
        self.assertEqual((error.kind, error.of_all), (REFUSED, False))
        self.assertIn("firewall", error.remedy)


class ExplainedTests(SynchronousTestCase):
    """Errors of the library in the words of the store."""

    def test_answers(self) -> None:
        """Every answer of a store has its kind, by its code where there is one, else by its status; code and
        message are the store's."""
        table: list[tuple[type[BaseError], str, str, str]] = [
            (GenericError, "500 Internal Server Error", "InternalError", TRANSIENT),
            (GenericError, "502 Bad Gateway", "", TRANSIENT),
            (GenericError, "503 Service Unavailable", "SlowDown", TRANSIENT),
            (GenericError, "504 Gateway Timeout", "", TRANSIENT),
            (GenericError, "507 Insufficient Storage", "", REFUSED),
            (GenericError, "429 Too Many Requests", "", TRANSIENT),
            (GenericError, "408 Request Timeout", "RequestCanceled", TRANSIENT),
            (GenericError, "400 Bad Request", "RequestTimeout", TRANSIENT),
            (GenericError, "400 Bad Request", "BadDigest", TRANSIENT),
            (GenericError, "400 Bad Request", "IncompleteBody", TRANSIENT),
            (GenericError, "400 Bad Request", "ExpiredToken", REFUSED),
            (GenericError, "400 Bad Request", "InvalidArgument", REFUSED),
            (GenericError, "400 Bad Request", "", REFUSED),
            (PermissionDeniedError, "403 Forbidden", "AccessDenied", REFUSED),
            (PermissionDeniedError, "403 Forbidden", "InvalidAccessKeyId", REFUSED),
            (PermissionDeniedError, "403 Forbidden", "RequestExpired", CLOCK),
            (PermissionDeniedError, "403 Forbidden", "RequestTimeTooSkewed", CLOCK),
            (PermissionDeniedError, "403 Forbidden", "", REFUSED),
            (UnauthenticatedError, "401 Unauthorized", "", REFUSED),
            (GenericError, "404 Not Found", "NoSuchBucket", MISCONFIGURED),
            (GenericError, "413 Payload Too Large", "EntityTooLarge", OBJECT),
            (AlreadyExistsError, "412 Precondition Failed", "PreconditionFailed", EXISTS),
            (PreconditionError, "412 Precondition Failed", "", EXISTS),
            (AlreadyExistsError, "409 Conflict", "ConditionalRequestConflict", TRANSIENT),
            (AlreadyExistsError, "409 Conflict", "OperationAborted", TRANSIENT),
            (GenericError, "501 Not Implemented", "NotImplemented", UNSUPPORTED),
            (GenericError, "301 Moved Permanently", "", MISCONFIGURED),
        ]
        for type_, status, code, kind in table:
            told = f"{status[:3]} {code}" if code else status
            text = answered(status, body(code, "Its words.") if code else "")
            words = f"{told}: Its words." if code else told
            error = explained(type_(text))
            self.assertEqual((error.kind, error.code, str(error)), (kind, told, words), text)

    def test_short_keys(self) -> None:
        """A key of a letter or two hides nothing of what the store said; any longer one is taken out."""
        refusal = PermissionDeniedError(answered("403 Forbidden", body("AccessDenied", "Not for AKIA12.")))
        error = explained(refusal, ("a", "AKIA12"))
        self.assertEqual(str(error), "403 AccessDenied: Not for ***.")

    def test_without_an_answer(self) -> None:
        """What failed on the way says how; all of it may pass but a certificate and a wrong region."""
        for text, kind, code, words in (
            (
                unanswered("Connect", "Connection refused"),
                TRANSIENT,
                "connect",
                "cannot connect: Connection refused",
            ),
            (unanswered("Timeout", "timed out"), TRANSIENT, "timeout", "no answer in time"),
            (
                unanswered("Connect", "dns error"),
                TRANSIENT,
                "name lookup",
                "the store's name cannot be resolved: dns error",
            ),
            (
                unanswered("Request", "Connection reset by peer"),
                TRANSIENT,
                "connection",
                "the connection failed: Connection reset by peer",
            ),
        ):
            error = explained(GenericError(text))
            self.assertEqual((error.kind, error.code, str(error)), (kind, code, words))
        error = explained(GenericError(unanswered("Connect", "invalid peer certificate: Expired")))
        self.assertEqual((error.kind, error.code), (REFUSED, "certificate"))
        self.assertIn("Expired", str(error))
        self.assertIn("SSL_CERT_FILE", error.remedy)
        redirect = (
            "Generic S3 error: Received redirect without LOCATION, this normally indicates an incorrect"
        )
        error = explained(GenericError(redirect))
        self.assertEqual((error.kind, error.code), (MISCONFIGURED, "redirect"))
        self.assertIn("another region or at another endpoint", str(error))

    def test_no_credentials(self) -> None:
        """A machine without a role is distinguished from a store that refuses."""
        text = answered("403 Forbidden").replace(ADDRESS, "http://169.254.169.254/latest/api/token")
        error = explained(GenericError(text))
        self.assertEqual((error.kind, error.code), (REFUSED, "no credentials"))
        self.assertIn("there are no credentials", str(error))

    def test_nothing_secret(self) -> None:
        """Whatever a store repeats of the credentials or of the signature is not in the words, also where a
        long text is cut in the middle of it."""
        more = (
            f"<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId><SignatureProvided>5ca1ab1e==</SignatureProvided>"
            "<StringToSign>AWS4-HMAC-SHA256 20251229</StringToSign>"
        )
        quoting = f"Authorization: AWS4-HMAC-SHA256 Credential={KEY_ID}/x, Signature=5ca1ab1e== key {SECRET}"
        for length in range(200, 330):
            for text in (
                answered("403 Forbidden", body("SignatureDoesNotMatch", quoting, more)),
                answered("403 Forbidden", body("SignatureDoesNotMatch", "x" * length + quoting)),
                "Generic S3 error: " + "y" * length + f" {SECRET} {quoting}",
            ):
                error = explained(PermissionDeniedError(text), (KEY_ID, SECRET))
                for shown in (error.code, str(error)):
                    for secret in (KEY_ID[:6], SECRET[:6], "5ca1ab1e"):
                        self.assertNotIn(secret, shown)

    def test_one_line(self) -> None:
        """Whatever a store says is one printable line of bounded length."""
        text = answered("403 Forbidden", body("AccessDenied", "a\r\nb \x1b[31m\u202e " + "z" * 900))
        words = str(explained(PermissionDeniedError(text)))
        self.assertTrue(words.isprintable())
        self.assertLess(len(words), 350)
        self.assertTrue(words.startswith("403 AccessDenied: a b "))


#: Stores' own answers: status, code, words, and what that means.
ANSWERS: tuple[tuple[int, str, str, str], ...] = (
    # Azure Blob Storage.
    (409, "BlobAlreadyExists", "The specified blob already exists.", EXISTS),
    (412, "ConditionNotMet", "", EXISTS),
    (412, "LeaseIdMissing", "There is currently a lease on the blob", OBJECT),
    (409, "BlobImmutableDueToPolicy", "", EXISTS),
    (409, "ContainerBeingDeleted", "", TRANSIENT),
    (404, "ContainerNotFound", "", MISCONFIGURED),
    (413, "RequestBodyTooLarge", "", OBJECT),
    (409, "BlobArchived", "", ARCHIVED),
    (403, "AuthenticationFailed", "AuthenticationErrorDetail: Request date header too old: 'Mon'", CLOCK),
    (403, "AuthenticationFailed", "Server failed to authenticate the request.", REFUSED),
    (503, "ServerBusy", "", TRANSIENT),
    # Google Cloud Storage.
    (429, "rateLimitExceeded", "", TRANSIENT),
    (429, "", "", TRANSIENT),
    (412, "conditionNotMet", "", EXISTS),
    (403, "retentionPolicyNotMet", "", EXISTS),
    (403, "UserProjectAccountProblem", "", REFUSED),
    # Amazon S3.
    (409, "ConditionalRequestConflict", "", TRANSIENT),
    (409, "OperationAborted", "", TRANSIENT),
    (403, "InvalidObjectState", "The operation is not valid for the object's storage class", ARCHIVED),
    (400, "InvalidStorageClass", "The storage class you specified is not valid", REFUSED),
    (400, "KeyTooLongError", "Your key is too long", OBJECT),
    (400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required", UNSUPPORTED),
    (400, "InvalidDigest", "", UNSUPPORTED),
    (400, "InvalidRequest", "This bucket accepts uploads with CRC32C only", UNSUPPORTED),
    (400, "InvalidArgument", "A CRC64NVME checksum is required", UNSUPPORTED),
    (400, "Crc64Mismatch", "The CRC64 must match", TRANSIENT),
    (400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong", MISCONFIGURED),
    (403, "AccountProblem", "", REFUSED),
    (411, "MissingContentLength", "", MISCONFIGURED),
    # MinIO.
    (507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.", REFUSED),
    (400, "InvalidRequest", "Object is WORM protected and cannot be overwritten", EXISTS),
    (400, "InvalidArgument", "S3 API Requests must be made to API port.", MISCONFIGURED),
    (503, "SlowDownWrite", "", TRANSIENT),
    # Others.
    (405, "MethodNotAllowed", "", MISCONFIGURED),
    (403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.", MISCONFIGURED),
    (403, "PathStyleDomainForbidden", "", MISCONFIGURED),
    (409, "FileAlreadyExists", "The object you specified already exists.", EXISTS),
    (409, "FileImmutable", "", EXISTS),
    (403, "UserDisable", "", REFUSED),
    (403, "QuotaExceeded", "", REFUSED),
    (403, "AccessDenied", "Cannot upload files, storage cap exceeded.", REFUSED),
    (413, "", "Upload exceeds quota.", REFUSED),
    (403, "ObjectLockedByBucketPolicy", "", EXISTS),
    (400, "InvalidRequest", "Bad request: Date is too old", CLOCK),
    (404, "NoSuchKey", "", MISSING),
    # What stands in front of a store.
    (413, "", "a web page, '413 Request Entity Too Large'", OBJECT),
    (414, "", "", OBJECT),
    (520, "", "", TRANSIENT),
    (302, "", "", MISCONFIGURED),
    (407, "", "", REFUSED),
    (511, "", "", MISCONFIGURED),
    # Nobody knows these.
    (418, "Teapot", "", REFUSED),
    (599, "Teapot", "", TRANSIENT),
)


class AnswerTests(SynchronousTestCase):
    """The table."""

    def test_answers_of_stores(self) -> None:
        """Each store's own way to say a thing is understood."""
        for status, code, words, kind in ANSWERS:
            self.assertEqual(answer_of(status, code, words).kind, kind, (status, code, words))
            self.assertEqual(answer_of(status, code.upper(), words).kind, kind, code)

    def test_remedies(self) -> None:
        """An error that a person has to mend says how."""
        for status, code, part in (
            (403, "AccessDenied", "s3:PutObject"),
            (403, "InvalidAccessKeyId", "access key"),
            (404, "NoSuchBucket", "bucket"),
            (403, "RequestTimeTooSkewed", "clock"),
            (413, "", "rotate_size"),
            (507, "XMinioStorageFull", "room"),
            (405, "", "API"),
            (403, "SecondLevelDomainForbidden", "s3.addressing: virtual"),
        ):
            self.assertIn(part, answer_of(status, code).remedy)

    def test_bodies(self) -> None:
        """Code and words are found in XML, in JSON and in pages of what is in between."""
        for text, code, words in (
            (
                '{"error": {"code": 403, "message": "No billing.", '
                '"errors": [{"reason": "billingNotEnabled"}]}}',
                "403 billingNotEnabled",
                "403 billingNotEnabled: No billing.",
            ),
            ('{"code": "cap_exceeded", "message": "m"}', "403 cap_exceeded", "403 cap_exceeded: m"),
            (
                "<html>\r\n<head><title>403 Blocked</title></head><body></body></html>",
                "403 Forbidden",
                "403 Forbidden: a web page, '403 Blocked'",
            ),
            ("no\nwords", "403 Forbidden", "403 Forbidden: no words"),
            ("{", "403 Forbidden", "403 Forbidden: {"),
            ("[1]", "403 Forbidden", "403 Forbidden: [1]"),
            ("<Error><Code>Half", "403 Forbidden", "403 Forbidden"),
        ):
            error = explained(PermissionDeniedError(answered("403 Forbidden", text)))
            self.assertEqual((error.code, str(error)), (code, words), text)

    def test_region_of_the_store(self) -> None:
        """A store that names the right region has it in the remedy."""
        text = answered(
            "400 Bad Request", body("AuthorizationHeaderMalformed", "m", "<Region>eu-west-1</Region>")
        )
        error = explained(GenericError(text))
        self.assertEqual((error.kind, error.remedy), (MISCONFIGURED, "set s3.region: eu-west-1"))

    def test_conflict_without_a_reason(self) -> None:
        """A bare conflict about a new object means that it is there."""
        self.assertEqual(explained(AlreadyExistsError(answered("409 Conflict"))).kind, EXISTS)
