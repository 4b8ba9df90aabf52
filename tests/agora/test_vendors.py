"""Agora's numbers for vendors and regions, and how each store is opened."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora import vendors
from pipeline.agora.vendors import Opening
from pipeline.errors import UsageError

ALL = [(vendor, code) for vendor in vendors.VENDORS for code in vendors.codes(vendor)]


def ids(pair):
    return f"{pair[0].name} {pair[1]}"


def test_the_vendors_of_agora():
    assert [vendor.id for vendor in vendors.VENDORS] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 11]
    assert {v.name: len(v.regions) for v in vendors.VENDORS} == {
        "qiniu": 5,
        "aws": 26,
        "alibaba": 28,
        "tencent": 20,
        "kingsoft": 10,
        "azure": 1,
        "google": 1,
        "huawei": 16,
        "baidu": 7,
        "self": 1,
    }


@pytest.mark.parametrize(
    ("vendor", "code", "agora", "own"),
    [
        ("aws", 0, "US_EAST_1", "us-east-1"),
        ("aws", 15, "CN_NORTH_1", "cn-north-1"),
        ("aws", 23, "US_GOV_EAST_1", "us-gov-east-1"),
        ("aws", 25, "EU_SOUTH_1", "eu-south-1"),
        ("alibaba", 0, "CN_Hangzhou", "cn-hangzhou"),
        ("alibaba", 3, "CN_Beijing", "cn-beijing"),
        ("alibaba", 19, "AP_Southeast_6", "ap-southeast-6"),
        ("alibaba", 27, "CN_Southeast_7", "ap-southeast-7"),
        ("tencent", 6, "AP_Shenzhen_FSI", "ap-shenzhen-fsi"),
        ("tencent", 19, "EU_Moscow", "eu-moscow"),
        ("kingsoft", 9, "NA_Singapore_1", "sgp"),
        ("huawei", 1, "CN_North_4", "cn-north-4"),
        ("huawei", 15, "SA_Chile_1", "sa-chile-1"),
        ("baidu", 1, "Baoding", "bd"),
        ("baidu", 7, "Shanghai", "fsh"),
        ("qiniu", 4, "Southeast_Asia", "ap-southeast-1"),
        ("google", 0, "any", "auto"),
    ],
)
def test_regions_by_number(vendor, code, agora, own):
    of = vendors.vendor(vendor)
    assert (vendors.agora_region(of, code), vendors.region_name(of, code)) == (agora, own)


@pytest.mark.parametrize("pair", ALL, ids=ids)
def test_every_region_is_found_by_each_of_its_names(pair):
    of, code = pair
    for name in (code, str(code), vendors.agora_region(of, code), vendors.region_name(of, code)):
        assert vendors.region_code(of, name) == code
    assert vendors.vendor(of.id) is vendors.vendor(of.name) is of


@pytest.mark.parametrize("pair", ALL, ids=ids)
def test_every_endpoint_is_known_as_its_vendors(pair):
    of, code = pair
    found = vendors.opening(of, code)
    if found.endpoint is not None:
        assert vendors.of_host(found.endpoint.partition("://")[2]) is of
        assert "{" not in found.endpoint


@pytest.mark.parametrize(
    ("vendor", "code", "expected"),
    [
        ("aws", 4, Opening("s3", None, "eu-west-1", "auto", "s3v4", "when_supported", 2)),
        (
            "alibaba",
            3,
            Opening(
                "s3",
                "https://s3.oss-cn-beijing.aliyuncs.com",
                "cn-beijing",
                "virtual",
                "s3v4",
                "when_required",
                2,
            ),
        ),
        (
            "tencent",
            3,
            Opening(
                "s3",
                "https://cos.ap-guangzhou.myqcloud.com",
                "ap-guangzhou",
                "virtual",
                "s3v4",
                "when_required",
                1,
            ),
        ),
        (
            "baidu",
            6,
            Opening("s3", "http://s3.fwh.bcebos.com", "fwh", "path", "s3v4", "when_required", 2),
        ),
        ("azure", 0, Opening("azure", None, None, "path", "shared-key", "when_required", 2)),
    ],
)
def test_how_a_store_is_opened(vendor, code, expected):
    assert vendors.opening(vendors.vendor(vendor), code) == expected


def test_an_endpoint_of_ones_own():
    found = vendors.opening(vendors.vendor("self"), 0, "https://minio.example.com")
    assert found.endpoint == "https://minio.example.com"
    assert (found.region, found.addressing) == ("us-east-1", "path")


@pytest.mark.parametrize("name", ["", "s3", 9, 10, -1, "aws2"])
def test_no_such_vendor(name):
    with pytest.raises(UsageError, match="expected one of 0 qiniu, 1 aws"):
        vendors.vendor(name)


@pytest.mark.parametrize(
    ("vendor", "region"), [("baidu", 0), ("aws", 26), ("aws", -1), ("huawei", "cn-north-9")]
)
def test_no_such_region(vendor, region):
    with pytest.raises(UsageError, match="has none of that name, expected one of"):
        vendors.region_code(vendors.vendor(vendor), region)


@pytest.mark.parametrize(
    "host", ["s3.amazonaws.com", "minio.example.com", "notaliyuncs.com", "", "evil.com.example"]
)
def test_other_hosts_are_nobodys(host):
    assert vendors.of_host(host) is None


@given(st.sampled_from(vendors.VENDORS), st.text() | st.integers())
def test_any_region_gets_an_answer(of, region):
    with suppress(UsageError):
        assert vendors.region_code(of, region) in vendors.codes(of)
