"""The meaning of each answer of a store: one table, drawn from the stores' own documents.

Amazon S3, Cloudflare R2, Tigris, MinIO, Backblaze B2, Wasabi, Ceph (OVH, DigitalOcean, ...), SeaweedFS,
Garage, versitygw, StorageGRID, IBM COS, Alibaba OSS, Tencent COS, Huawei OBS; Azure Blob Storage; Google
Cloud Storage. An answer is looked up by its words if the code is ambiguous, else by its code or by the form
of an unlisted code, else by its status. For an unknown code the status decides, and another object shows
whether the store or the object is the cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

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


class Answer(NamedTuple):
    """The meaning of an answer; the fields are those of StoreError."""

    kind: str
    remedy: str = ""
    of_all: bool = False


_KEYS = "check the access key and its secret"
_RIGHTS = (
    "the key needs s3:PutObject, s3:GetObject and s3:ListBucket on the bucket (s3:DeleteObject is optional)"
)
_ACCOUNT = "check the account with the store: a bill, a block or a limit"
_ROOM = "make room in the store, or raise its quota"
_LARGE = (
    "raise the limit of the store or of the proxy in front of it; files to come are smaller with a smaller "
    "recorder.rotate_size"
)
_BUCKET = "create the bucket, or correct its name, the account or the endpoint"
_REGION = "correct the region and the endpoint; the store's page of the bucket shows both"
_ADDRESSING = "set s3.addressing: virtual"
_CLOCK = "set this machine's clock, and let it be kept right (NTP)"
_ARCHIVED = (
    "restore it first, which takes hours (Amazon: aws s3api restore-object; Azure: az storage blob set-tier "
    "--tier Hot), and do this again then"
)
_CLASS = "correct uploader.storage_class or archive.tier_class: the store has no such class"
_EXPIRED = "give new credentials: these have run out"
_CHECKSUMS = (
    "let the store take uploads with a SHA-256 or an MD5, or with none: Chatlog knows no other checksum"
)
_LACKING = (
    "Chatlog needs a request that the store does not know; take a newer version of it, or another store"
)
_SERVICE = "switch the store's service on for this account, and give the key rights to use it"
NO_STORE = "s3.endpoint is to be the address of the S3 API, not of a web console, a website or a proxy"

#: Codes by what they mean. Upper and lower case do not matter.
_BY_CODE: tuple[tuple[Answer, str], ...] = (
    (
        Answer(EXISTS),
        "PreconditionFailed ConditionNotMet TargetConditionNotMet BlobAlreadyExists ResourceAlreadyExists "
        "ResourceExistsError PathAlreadyExists FileAlreadyExists ObjectAlreadyExists KeyAlreadyExists "
        # The object exists and must not be altered.
        "BlobImmutableDueToPolicy BlobImmutableDueToLegalHold FileImmutable ObjectLocked "
        "ObjectLockedByBucketPolicy RetentionPolicyNotMet ObjectUnderActiveHold",
    ),
    (
        Answer(TRANSIENT),
        "RequestTimeout RequestTimedOut OperationTimedOut OperationTimeout InternalError InternalServerError "
        "ServiceInternalError InternalFailure ConditionalRequestConflict OperationAborted ResourceConflict "
        "IncompleteBody BadDigest Md5Mismatch Crc64Mismatch XAmzContentSHA256Mismatch "
        "XAmzContentChecksumMismatch ChecksumMismatch RequestCanceled ClientDisconnected RequestAborted "
        "BackendError ServerDisconnected RequestIncomplete BlobModifiedWhileReading",
    ),
    (
        Answer(TRANSIENT, of_all=True),
        "SlowDown SlowDownRead SlowDownWrite ServiceUnavailable ServerBusy SystemBusy Busy Throttling "
        "ThrottlingException TooManyRequests RequestThrottled RequestLimitExceeded RateLimitExceeded "
        "UserRateLimitExceeded QpsLimitExceeded BandwidthLimitExceeded UploadTrafficRateLimitExceeded "
        "XMinioServerNotInitialized ServerNotInitialized XMinioBackendDown XMinioWriteQuorum "
        "ContainerBeingDeleted ContainerBeingDisabled AccountBeingCreated BucketExpanding",
    ),
    (
        Answer(OBJECT, _LARGE),
        "EntityTooLarge RequestBodyTooLarge RequestEntityTooLarge MaxMessageLengthExceeded "
        "InlineDataTooLarge ContentLengthLargerThanTierLimit BlobTierInadequateForContentLength "
        "FileGroupTooLarge UploadTooLarge",
    ),
    (
        Answer(OBJECT),
        "EntityTooSmall KeyTooLong KeyTooLongError InvalidObjectName InvalidKey InvalidKeyName "
        "InvalidResourceName XMinioInvalidObjectName XMinioInvalidResourceName XMinioObjectExistsAsDirectory "
        "XMinioParentIsObject ObjectExistsAsDirectory ExistingObjectIsDirectory ObjectParentIsFile "
        "MetadataTooLarge InvalidMetadata EmptyMetadataKey InvalidMetadataName HeadersTooLarge "
        "RequestHeaderSectionTooLarge LeaseIdMissing LeaseIdMismatchWithBlobOperation LeaseLost "
        "LeaseAlreadyPresent SnapshotsPresent InvalidBlobType BlobOperationNotSupported "
        "BlobUsesCustomerSpecifiedEncryption BlobOverwritten PendingCopyOperation DownloadForbidden "
        "InvalidEncryptionAlgorithmError",
    ),
    (
        Answer(ARCHIVED, _ARCHIVED),
        "InvalidObjectState ObjectNotInActiveTierError BlobArchived BlobBeingRehydrated "
        "RestoreAlreadyInProgress",
    ),
    (
        Answer(REFUSED, _CLASS, True),
        "InvalidStorageClass StorageClassNotSupported StorageClassNotAllowed InvalidBlobTier "
        "AccessTierNotSupported",
    ),
    (Answer(CLOCK, _CLOCK, True), "RequestTimeTooSkewed RequestExpired ExpiredRequest RequestInTheFuture"),
    (
        Answer(REFUSED, _KEYS, True),
        "InvalidAccessKeyId InvalidClientTokenId UnrecognizedClientException InvalidSecurity InvalidToken "
        "InvalidTokenId Unauthorized NoAuthenticationInformation "
        "InvalidAuthenticationInfo CredentialsNotSupported InvalidAccessKey AccessKeyDisabled "
        "KeyNotAuthorized KeyBasedAuthenticationNotPermitted InvalidAccessKeyIdError "
        "MissingSecurityHeader authError MissingAuthenticationToken",
    ),
    (
        Answer(REFUSED, _EXPIRED, True),
        "ExpiredToken ExpiredTokenException TokenRefreshRequired TokenExpired CertificateExpired "
        "expired_auth_token AccessKeyExpired",
    ),
    (
        Answer(REFUSED, _SERVICE, True),
        "accessNotConfigured ServiceDisabled ServiceNotActivated NotEntitled UserProjectMissing "
        "userProjectAccessDenied SubscriptionRequired OptInRequired",
    ),
    (Answer(REFUSED, _KEYS), "SignatureDoesNotMatch AuthenticationFailed InvalidSignature BadSignature"),
    (
        Answer(REFUSED, _ACCOUNT, True),
        "AccountProblem AllAccessDisabled AccountIsDisabled AccountDisabled AccountSuspended UserDisable "
        "UserSuspended FrozenUserId DeregisterUserId ArrearOverdue InArrearOrInsufficientBalance "
        "InsufficientBalance NotSignedUp InvalidPayer ContainerDisabled billingNotEnabled "
        "UserProjectAccountProblem BucketBlocked ExceedAccountQuota",
    ),
    (
        Answer(REFUSED, _RIGHTS),
        "AccessDenied AccessForbidden Forbidden AuthorizationFailure AuthorizationPermissionMismatch "
        "AuthorizationProtocolMismatch AuthorizationResourceTypeMismatch AuthorizationServiceMismatch "
        "AuthorizationSourceIPMismatch InsufficientAccountPermissions InsufficientPermissions "
        "UnauthorizedAccess PublicAccessNotPermitted ReadOnly BucketReadOnly XMinioReadOnly",
    ),
    (
        Answer(REFUSED, _ROOM),
        "QuotaExceeded QuotaExceed BucketQuotaExceeded AccountQuotaExceeded UserQuotaExceeded OverQuota "
        "XMinioAdminBucketQuotaExceeded XMinioStorageFull StorageFull InsufficientStorage "
        "InsufficientCapacity StorageQuotaExceeded storageLimitExceeded CapExceeded storage_cap_exceeded "
        "transaction_cap_exceeded download_cap_exceeded dailyLimitExceeded FreeTierLimitExceeded "
        "TooManyObjects NoSpaceLeft",
    ),
    (
        Answer(REFUSED, "check the key with which the bucket is encrypted"),
        "KMS.DisabledException KMS.NotFoundException KMS.KMSInvalidStateException KMSKeyNotFound "
        "KMSNotConfigured KMS.InvalidKeyUsageException XMinioKMSKeyNotFound KMSKeyDisabled cmekDisabled "
        "KeyVaultAccessTokenCannotBeAcquired",
    ),
    (
        Answer(MISCONFIGURED, _BUCKET, True),
        "NoSuchBucket ContainerNotFound BucketNotFound InvalidBucketName NoSuchBucketError InvalidBucket "
        "XMinioInvalidBucketName InvalidBucketState FilesystemNotFound NoSuchTenant NoSuchAccount "
        "NoSuchDomain",
    ),
    (
        Answer(MISCONFIGURED, _REGION, True),
        "PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed InvalidRegion "
        "XMinioInvalidRegion IllegalLocationConstraintException InvalidLocationConstraint "
        "IncorrectEndpoint WrongRegion AuthorizationQueryParametersError InvalidRegionError",
    ),
    (
        Answer(MISCONFIGURED, _ADDRESSING, True),
        "SecondLevelDomainForbidden PathStyleDomainForbidden InvalidPathAccess PathStyleNotAllowed "
        "PathStyleRequestNotAllowed PathStyleNotSupported PathStyleUnsupported PathStyleForbidden "
        "VirtualHostDomainRequired",
    ),
    (
        Answer(MISCONFIGURED, NO_STORE),
        "MethodNotAllowed UnsupportedHttpVerb InvalidHttpVerb MissingContentLength "
        "MissingContentLengthHeader InvalidURI InvalidDomainName BadDomainName CustomDomainNotExist "
        "NoSuchWebsiteConfiguration InvalidHost AccountRequiresHttps "
        "SecureConnectionRequired InvalidProtocol sslRequired",
    ),
    (
        Answer(MISSING),
        "NoSuchKey BlobNotFound ResourceNotFound NoSuchObject KeyNotFound ObjectNotFound NoSuchVersion",
    ),
    (
        Answer(UNSUPPORTED, _LACKING),
        "NotImplemented UnsupportedOperation ConditionHeadersNotSupported UnsupportedHeader NotSupported "
        "UnsupportedArgument MissingRequiredHeader",
    ),
    (
        Answer(UNSUPPORTED, _CHECKSUMS),
        "InvalidDigest MissingContentMD5 InvalidTrailer ContentSHA256NotSupported MissingChecksum "
        "InvalidChecksum InvalidChecksumAlgorithm UnsupportedChecksumAlgorithm",
    ),
)

#: Words for codes that have several meanings. Searched in this order.
_BY_WORDS: tuple[tuple[str, Answer], ...] = (
    (r"must be made to API port", Answer(MISCONFIGURED, NO_STORE, True)),
    (
        r"Content-MD5|x-amz-checksum|x-amz-sdk-checksum|checksum (algorithm|type)|"
        r"\bcrc-?(32|64)\w*\b.{0,60}(requir|must|only|support)|(requir|must|only|support).{0,60}\bcrc-?(32|64)",
        Answer(UNSUPPORTED, _CHECKSUMS),
    ),
    (
        r"If-None-Match.{0,40}(not supported|not implemented)|precondition.{0,20}not supported",
        Answer(UNSUPPORTED, _LACKING),
    ),
    (
        r"WORM protected|is immutable|cannot be (deleted or )?overwritten|protected by object lock|"
        r"under (a )?(retention|legal hold)|object is locked",
        Answer(EXISTS),
    ),
    (
        r"(date|header|request) (is |header )?too old|not yet current|(signature|request) (has )?expired",
        Answer(CLOCK, _CLOCK, True),
    ),
    (
        r"cap exceeded|exceeds? (the )?(bucket |account |storage )?quota|quota (is |has been )?exceeded",
        Answer(REFUSED, _ROOM),
    ),
    (
        r"(virtual|third level|virtual-host\w*)[- ](hosted[- ]?style|style|domain|host)|"
        r"path[- ]?style\b.{0,40}\bnot\b",
        Answer(MISCONFIGURED, _ADDRESSING, True),
    ),
)

#: The meanings of unlisted codes by their form, searched in this order.
_BY_FORM: tuple[tuple[str, Answer], ...] = (
    (r"(object|blob|key|file|path|entity)\w*exists\w*\Z", Answer(EXISTS)),
    (r"throttl|slow_?down|rate_?(limit_?)?exceeded|too_?many_?requests", Answer(TRANSIENT, of_all=True)),
    (r"quota_?\w*exceed|cap_?exceeded|storage_?full|insufficient_?storage|no_?space", Answer(REFUSED, _ROOM)),
    (r"(entity|body|object|file|payload|content)\w*too_?large", Answer(OBJECT, _LARGE)),
    (r"path_?style", Answer(MISCONFIGURED, _ADDRESSING, True)),
    (
        r"(bucket|container|tenant|account|namespace|project)_?not_?found|"
        r"no_?such_?(bucket|container|tenant|account|namespace|project)",
        Answer(MISCONFIGURED, _BUCKET, True),
    ),
    (r"token_?\w*expired|expired_?\w*token|credentials?_?\w*expired", Answer(REFUSED, _EXPIRED, True)),
    (r"kms|cmek", Answer(REFUSED, "check the key with which the bucket is encrypted")),
)

#: The meaning of a status without a code, or with an unknown one.
_BY_STATUS: Mapping[int, Answer] = MappingProxyType(
    {
        301: Answer(MISCONFIGURED, _REGION, True),
        302: Answer(MISCONFIGURED, NO_STORE, True),
        303: Answer(MISCONFIGURED, NO_STORE, True),
        304: Answer(EXISTS),
        307: Answer(MISCONFIGURED, _REGION, True),
        308: Answer(MISCONFIGURED, _REGION, True),
        401: Answer(REFUSED, _KEYS, True),
        403: Answer(REFUSED, _RIGHTS),
        402: Answer(REFUSED, _ACCOUNT, True),
        404: Answer(MISSING),
        405: Answer(MISCONFIGURED, NO_STORE),
        407: Answer(REFUSED, "give the proxy's user and password in HTTPS_PROXY", True),
        408: Answer(TRANSIENT),
        409: Answer(TRANSIENT),
        411: Answer(MISCONFIGURED, NO_STORE),
        412: Answer(EXISTS),
        413: Answer(OBJECT, _LARGE),
        414: Answer(OBJECT),
        421: Answer(TRANSIENT),
        422: Answer(OBJECT),
        423: Answer(OBJECT),
        425: Answer(TRANSIENT),
        429: Answer(TRANSIENT, of_all=True),
        431: Answer(OBJECT),
        451: Answer(OBJECT),
        499: Answer(TRANSIENT),
        501: Answer(UNSUPPORTED, _LACKING),
        507: Answer(REFUSED, _ROOM),
        511: Answer(MISCONFIGURED, "the network wants a login on a web page first", True),
    }
)


def _codes() -> Iterator[tuple[str, Answer]]:
    for answer, codes in _BY_CODE:
        for code in codes.split():
            yield code.lower(), answer


_ANSWERS: Mapping[str, Answer] = MappingProxyType(dict(_codes()))
_PATTERNS = tuple((re.compile(words, re.IGNORECASE), answer) for words, answer in _BY_WORDS)
_FORMS = tuple((re.compile(form, re.IGNORECASE), answer) for form, answer in _BY_FORM)


def answer_of(status: int, code: str = "", words: str = "") -> Answer:
    """The meaning of a store's answer. ``code`` and ``words`` are the store's own, ``""`` if it has none."""
    known = _ANSWERS.get(code.lower())
    if status < 500 and (known is None or known.kind not in (EXISTS, MISSING, TRANSIENT)):
        for pattern, answer in _PATTERNS:
            if pattern.search(words):
                return answer
    if known is not None:
        return known
    if status < 500:
        for pattern, answer in _FORMS:
            if pattern.search(code):
                return answer
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Answer(TRANSIENT) if status >= 500 else Answer(REFUSED)
