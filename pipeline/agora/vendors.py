"""Where Agora can store a recording: its numbers for vendors and regions, and how we open each.

Vendor and region codes are those of Agora's page "region-vendor", endpoints those of the vendors'
own documentation; no vendor's service itself was tried.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from pipeline.errors import UsageError


class Opening(Struct, frozen=True):
    """How a bucket is opened: the settings of an S3 client, or an Azure account."""

    protocol: str  # s3 or azure
    endpoint: str | None  # None: the client knows it
    region: str | None
    addressing: str  # auto, virtual (bucket in the host name) or path
    signature: str  # s3v4; azure: shared-key
    checksums: str  # request_checksum_calculation of botocore: only AWS takes aws-chunked bodies
    list_version: int  # of ListObjects


class Vendor(Struct, frozen=True):
    """One value of ``storageConfig.vendor``."""

    id: int
    name: str  # in settings
    title: str  # for people
    regions: tuple[str, ...]  # Agora's names, in the order of their codes
    first: int = 0  # the code of the first of them
    own: Mapping[str, str] = field(default_factory=dict)  # regions the vendor spells otherwise
    endpoint: str | None = None  # with {region} for the vendor's name of the region
    domain: str | None = None  # of all its endpoints
    addressing: str = "path"
    list_version: int = 2
    sts: bool = False  # whether Agora takes temporary credentials


def _regions(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VENDORS = (
    Vendor(
        0,
        "qiniu",
        "Qiniu Kodo",
        _regions("East_China North_China South_China North_America Southeast_Asia"),
        own={
            "East_China": "cn-east-1",
            "North_China": "cn-north-1",
            "South_China": "cn-south-1",
            "North_America": "us-north-1",
            "Southeast_Asia": "ap-southeast-1",
        },
        endpoint="https://s3-{region}.qiniucs.com",
        domain=".qiniucs.com",
    ),
    Vendor(
        1,
        "aws",
        "Amazon S3",
        _regions(
            "US_EAST_1 US_EAST_2 US_WEST_1 US_WEST_2 EU_WEST_1 EU_WEST_2 EU_WEST_3 EU_CENTRAL_1"
            " AP_SOUTHEAST_1 AP_SOUTHEAST_2 AP_NORTHEAST_1 AP_NORTHEAST_2 SA_EAST_1 CA_CENTRAL_1"
            " AP_SOUTH_1 CN_NORTH_1 CN_NORTHWEST_1 US_GOV_WEST_1 AF_SOUTH_1 AP_EAST_1"
            " AP_NORTHEAST_3 EU_NORTH_1 ME_SOUTH_1 US_GOV_EAST_1 AP_SOUTHEAST_3 EU_SOUTH_1"
        ),
        addressing="auto",
        sts=True,
    ),
    Vendor(
        2,
        "alibaba",
        "Alibaba Cloud OSS",
        _regions(
            "CN_Hangzhou CN_Shanghai CN_Qingdao CN_Beijing CN_Zhangjiakou CN_Huhehaote CN_Shenzhen"
            " CN_Hongkong US_West_1 US_East_1 AP_Southeast_1 AP_Southeast_2 AP_Southeast_3"
            " AP_Southeast_5 AP_Northeast_1 AP_South_1 EU_Central_1 EU_West_1 EU_East_1"
            " AP_Southeast_6 CN_Heyuan CN_Guangzhou CN_Chengdu CN_Nanjing CN_Fuzhou CN_Wulanchabu"
            " CN_Northeast_2 CN_Southeast_7"
        ),
        # Seoul and Bangkok, which lie in no cn- region of the vendor
        own={"CN_Northeast_2": "ap-northeast-2", "CN_Southeast_7": "ap-southeast-7"},
        endpoint="https://s3.oss-{region}.aliyuncs.com",
        domain=".aliyuncs.com",
        addressing="virtual",
        sts=True,
    ),
    Vendor(
        3,
        "tencent",
        "Tencent COS",
        _regions(
            "AP_Beijing_1 AP_Beijing AP_Shanghai AP_Guangzhou AP_Chengdu AP_Chongqing"
            " AP_Shenzhen_FSI AP_Shanghai_FSI AP_Beijing_FSI AP_Hongkong AP_Singapore AP_Mumbai"
            " AP_Seoul AP_Bangkok AP_Tokyo NA_Siliconvalley NA_Ashburn NA_Toronto EU_Frankfurt"
            " EU_Moscow"
        ),
        endpoint="https://cos.{region}.myqcloud.com",
        domain=".myqcloud.com",
        addressing="virtual",
        list_version=1,
        sts=True,
    ),
    Vendor(
        4,
        "kingsoft",
        "Kingsoft KS3",
        _regions(
            "CN_Hangzhou CN_Shanghai CN_Qingdao CN_Beijing CN_Guangzhou CN_Hongkong JR_Beijing"
            " JR_Shanghai NA_Russia_1 NA_Singapore_1"
        ),
        own={"CN_Hongkong": "cn-hk-1", "NA_Russia_1": "rus", "NA_Singapore_1": "sgp"},
        endpoint="https://ks3-{region}.ksyuncs.com",
        domain=".ksyuncs.com",
        addressing="virtual",
    ),
    Vendor(5, "azure", "Microsoft Azure Blob Storage", ("any",)),
    Vendor(
        6,
        "google",
        "Google Cloud Storage",
        ("any",),
        own={"any": "auto"},
        endpoint="https://storage.googleapis.com",
        domain="storage.googleapis.com",
    ),
    Vendor(
        7,
        "huawei",
        "Huawei Cloud OBS",
        _regions(
            "CN_North_1 CN_North_4 CN_East_2 CN_East_3 CN_South_1 CN_Southwest_2 AP_Southeast_1"
            " AP_Southeast_2 AP_Southeast_3 AF_South_1 SA_Argentina_1 SA_Peru_1 NA_Mexico_1"
            " SA_Brazil_1 LA_South_2 SA_Chile_1"
        ),
        endpoint="https://obs.{region}.myhuaweicloud.com",
        domain=".myhuaweicloud.com",
        addressing="virtual",
        list_version=1,
    ),
    Vendor(
        8,
        "baidu",
        "Baidu BOS",
        _regions("Baoding Suzhou Guangzhou Hongkong Singapore Wuhan Shanghai"),
        first=1,
        own={
            "Baoding": "bd",
            "Suzhou": "su",
            "Guangzhou": "gz",
            "Hongkong": "hkg",
            "Singapore": "sin",
            "Wuhan": "fwh",
            "Shanghai": "fsh",
        },
        endpoint="https://s3.{region}.bcebos.com",
        domain=".bcebos.com",
    ),
    Vendor(11, "self", "any S3-compatible store", ("any",), own={"any": "us-east-1"}),
)

_HTTP_ONLY = {("baidu", "fwh"), ("baidu", "hkg")}  # whose certificates do not cover their host


def vendor(name: str | int) -> Vendor:
    """The vendor of this number or name.  Raises ``UsageError``, with all of them, for another."""
    wanted = str(name).strip().lower()
    for one in VENDORS:
        if wanted in (str(one.id), one.name):
            return one
    known = ", ".join(f"{one.id} {one.name}" for one in VENDORS)
    raise UsageError(f"vendor {name!r}: unknown, expected one of {known}")


def region_code(of: Vendor, region: str | int) -> int:
    """Agora's number for a region, given as that number, in Agora's spelling or the vendor's.

    Raises ``UsageError``, with all of them, for another.
    """
    wanted = _plain(region)
    for code in codes(of):
        if wanted in (str(code), _plain(agora_region(of, code)), _plain(region_name(of, code))):
            return code
    known = ", ".join(f"{code} {region_name(of, code)}" for code in codes(of))
    raise UsageError(
        f"region {region!r}: {of.title} has none of that name, expected one of {known}"
    )


def codes(of: Vendor) -> range:
    """All of Agora's numbers for the regions of a vendor."""
    return range(of.first, of.first + len(of.regions))


def agora_region(of: Vendor, code: int) -> str:
    """Agora's name of a region."""
    return of.regions[code - of.first]


def region_name(of: Vendor, code: int) -> str:
    """The vendor's own name of a region, as signatures and endpoints have it."""
    named = agora_region(of, code)
    return of.own.get(named, named.lower().replace("_", "-"))


def opening(of: Vendor, code: int, endpoint: str | None = None) -> Opening:
    """How to open a bucket in the region of this code; an ``endpoint`` goes before the vendor's."""
    if of.name == "azure":
        return Opening("azure", endpoint, None, "path", "shared-key", "when_required", 2)
    region = region_name(of, code)
    found = endpoint or (of.endpoint and of.endpoint.format(region=region))
    if (of.name, region) in _HTTP_ONLY and found and not endpoint:
        found = found.replace("https://", "http://")
    checksums = "when_supported" if of.name == "aws" and not endpoint else "when_required"
    return Opening("s3", found, region, of.addressing, "s3v4", checksums, of.list_version)


def of_host(host: str) -> Vendor | None:
    """The vendor of an endpoint's host name; None for AWS, which boto3 knows, and for others."""
    for one in VENDORS:
        if one.domain and (host == one.domain.lstrip(".") or host.endswith(one.domain)):
            return one
    return None


def _plain(region: str | int) -> str:
    return str(region).strip().lower().replace("_", "-")
