"""Each field of a request broken in turn: one clear error before anything is sent."""

import pytest
from pydantic import SecretStr

from pipeline.agora.schema.canvas import Region, TranscodingConfig
from pipeline.agora.schema.requests import (
    AcquireRequest,
    LayoutRequest,
    StartRequest,
    UpdateRequest,
    refuse_unfit,
)
from pipeline.agora.schema.storage import REGIONS, StorageConfig
from pipeline.agora.schema.values import masked, parse, secrets, wire
from pipeline.errors import UsageError
from tests.agora.bodies import (
    ACCESS,
    CANVAS,
    GONE,
    RECORDING,
    SECRET,
    START,
    STORAGE,
    TOKEN,
    changed,
)
from tests.agora.tokens import version_7

REGION = {"x_axis": 0, "y_axis": 0, "width": 1, "height": 1}
CUSTOM = f"{CANVAS}.layoutConfig"


def refusal(changes, mode="mix"):
    """The error of a body with changes."""
    with pytest.raises(UsageError) as caught:
        refuse_unfit(parse(StartRequest, changed(changes)), mode)
    assert "SECRET" not in repr(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("cname", GONE, "cname: missing"),
        ("cname", "", "expected 1 to 1024 bytes"),
        ("cname", "a/b", "'a/b', expected letters, digits, spaces and"),
        ("cname", "ä", "expected letters"),
        ("cname", "x" * 65, "65 bytes, expected at most 64"),
        ("cname", 7, "7, expected text in quotes"),
        ("cname", "\ud800", "holds a value that JSON in UTF-8 does not have"),
        ("uid", GONE, "uid: missing"),
        ("uid", 527841, "uid: 527841, expected text in quotes"),
        ("uid", "0", "expected a whole number from 1 to 4294967295 in quotes"),
        ("uid", "4294967296", "expected a whole number from 1"),
        ("uid", "01", "expected a whole number from 1"),
        ("uid", "-1", "expected a whole number from 1"),
        ("uid", "user", "expected a whole number from 1"),
        ("uid", "٣", "expected a whole number from 1"),
        ("uid", "123", "is the recorder itself"),
        ("clientrequest", {}, "clientrequest: unknown key; did you mean clientRequest?"),
        ("clientRequest", GONE, "clientRequest: missing"),
        ("clientRequest", [], "clientRequest: expected an object"),
        ("clientRequest.token", 5, "clientRequest.token: expected text in quotes"),
        ("clientRequest.recordingConfig", GONE, "recordingConfig: missing"),
        ("clientRequest.storageConfig", GONE, "storageConfig: missing"),
        ("clientRequest.snapshotConfig", {}, "not for mode mix, only for individual"),
        ("clientRequest.appsCollection", {}, "not for mode mix"),
        ("clientRequest.transcodeOptions", {}, "not for mode mix"),
        ("clientRequest.extensionServiceConfig", {}, "not for mode mix, only for web"),
        (f"{RECORDING}.streamtypes", 2, "did you mean streamTypes?"),
        (f"{RECORDING}.channelType", 2, "channelType: 2, expected at most 1"),
        (f"{RECORDING}.streamTypes", 3, "streamTypes: 3, expected at most 2"),
        (f"{RECORDING}.streamTypes", "2", "'2', expected a whole number"),
        (f"{RECORDING}.streamTypes", True, "True, expected a whole number"),
        (f"{RECORDING}.streamTypes", 2.0, "2.0, expected a whole number"),
        (f"{RECORDING}.streamTypes", 0, "video uids are not allowed with streamTypes 0"),
        (f"{RECORDING}.streamTypes", 1, "audio uids are not allowed with streamTypes 1"),
        (f"{RECORDING}.streamMode", "original", "not for mode mix"),
        (f"{RECORDING}.streamMode", "raw", "expected 'default', 'standard' or 'original'"),
        (f"{RECORDING}.videoStreamType", -1, "expected at least 0"),
        (f"{RECORDING}.maxIdleTime", 4, "4, expected at least 5"),
        (f"{RECORDING}.maxIdleTime", 2_592_001, "expected at most 2592000"),
        (f"{RECORDING}.decryptionMode", 9, "expected at most 8"),
        (f"{RECORDING}.decryptionMode", 1, "decryptionMode 1 needs secret"),
        (f"{RECORDING}.salt", "SECRETsalt", "salt: expected 32 bytes in base64"),
        (f"{RECORDING}.audioProfile", 3, "expected at most 2"),
        (f"{RECORDING}.subscribeVideoUids", [], "expected it not to be empty"),
        (f"{RECORDING}.subscribeVideoUids", "123", "expected a list"),
        (f"{RECORDING}.subscribeVideoUids", [123], "subscribeVideoUids.0: 123, expected text"),
        (f"{RECORDING}.subscribeVideoUids", ["0"], "expected a whole number from 1"),
        (f"{RECORDING}.subscribeVideoUids", ["#all#"], "expected a whole number from 1"),
        (f"{RECORDING}.subscribeVideoUids", ["1", "#allstream#"], '"#allstream#" alone'),
        (f"{RECORDING}.subscribeVideoUids", [str(n) for n in range(1, 34)], "at most 32 entries"),
        (f"{RECORDING}.unSubscribeVideoUids", ["9"], "exclude each other"),
        (f"{RECORDING}.unsubscribeAudioUids", ["9"], "exclude each other"),
        (f"{RECORDING}.subscribeUidGroup", 6, "expected at most 5"),
        (f"{RECORDING}.privateParams", "{", "expected the text of a JSON object"),
        (f"{RECORDING}.transcodingConfig", 5, "5, expected an object"),
        (f"{CANVAS}.width", 0, "expected at least 1"),
        (f"{CANVAS}.width", 1921, "expected at most 1920"),
        (f"{CANVAS}.height", "640", "expected a whole number"),
        (f"{CANVAS}.fps", 25, "expected one of 1, 7, 10, 15, 24, 30, 60"),
        (f"{CANVAS}.bitrate", 6501, "6501, expected at most 6500"),
        (f"{CANVAS}.mixedVideoLayout", 4, "expected at most 3"),
        (f"{CANVAS}.mixedVideoLayout", 3, "made of layoutConfig, which is missing"),
        (f"{CANVAS}.layoutConfig", [REGION], "only allowed with mixedVideoLayout 3"),
        (f"{CANVAS}.backgroundColor", "red", "expected a colour as #RRGGBB"),
        (f"{CANVAS}.backgroundImage", "ftp://x/a.jpg", "begins with http:// or https://"),
        (f"{CANVAS}.defaultUserBackgroundImage", "a.jpg", "begins with http:// or https://"),
        (f"{CANVAS}.backgroundConfig", [{"uid": "1"}], "backgroundConfig.0.image_url: missing"),
        (f"{CANVAS}.maxResolutionUid", "0", "expected a whole number from 1"),
        ("clientRequest.recordingFileConfig.avFileType", ["mp4"], '["hls"] or ["hls", "mp4"]'),
        ("clientRequest.recordingFileConfig.avFileType", [], "expected it not to be empty"),
        ("clientRequest.recordingFileConfig.avFileType", ["flv"], "expected 'hls' or 'mp4'"),
        (f"{STORAGE}.vendor", GONE, "storageConfig.vendor: missing"),
        (f"{STORAGE}.vendor", 9, "expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 11"),
        (f"{STORAGE}.vendor", 11, "vendor 11"),
        (f"{STORAGE}.region", 28, "region 28, expected 0 to 27 for vendor 2"),
        (f"{STORAGE}.bucket", "", "expected it not to be empty"),
        (f"{STORAGE}.accessKey", GONE, "accessKey: missing"),
        (f"{STORAGE}.secretKey", "", "secretKey: expected it not to be empty"),
        (f"{STORAGE}.secretkey", "oopsSECRET", "secretkey: unknown key; did you mean secretKey?"),
        (f"{STORAGE}.stsExpiration", 5, "stsExpiration without stsToken"),
        (f"{STORAGE}.fileNamePrefix", ["a-b"], "'a-b', expected only letters A-Z a-z and digits"),
        (f"{STORAGE}.fileNamePrefix", ["a/b"], "expected only letters"),
        (f"{STORAGE}.fileNamePrefix", [""], "expected only letters"),
        (f"{STORAGE}.fileNamePrefix", ["a" * 64, "b" * 63], "129 characters with slashes"),
        (f"{STORAGE}.fileNamePrefix", "rec", "expected a list"),
        (f"{STORAGE}.extensionParams", {"sse": "aes"}, "expected 'kms' or 'aes256'"),
        (f"{STORAGE}.extensionParams", {"sse": "kms"}, "sse is only for vendor 1"),
        (f"{STORAGE}.extensionParams", {"endpoint": "h"}, "no other vendor has it"),
    ],
)
def test_each_field_broken_in_turn(place, value, why):
    assert why in refusal({place: value})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"width": 1920, "height": 1920}, "1920 x 1920 = 3686400", id="pixels"),
        pytest.param(
            {"mixedVideoLayout": 3, "layoutConfig": [REGION] * 18}, "at most 17", id="regions"
        ),
        pytest.param(
            {"mixedVideoLayout": 3, "layoutConfig": [{**REGION, "x_axis": 0.5}]},
            "x_axis + width is 1.5, expected at most 1",
            id="outside",
        ),
        pytest.param(
            {"mixedVideoLayout": 3, "layoutConfig": [{**REGION, "alpha": 1.1}]},
            "layoutConfig.0.alpha: 1.1, expected at most 1",
            id="alpha",
        ),
        pytest.param(
            {"mixedVideoLayout": 3, "layoutConfig": [{**REGION, "uid": "5"}] * 2},
            "uid 5 twice",
            id="one user twice",
        ),
    ],
)
def test_rules_between_fields_of_the_canvas(changes, why):
    assert why in refusal({f"{CANVAS}.{key}": value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"vendor": 5, "region": 0, "stsToken": "SECRETsts"}, "only for vendors 1, 2 and 3"),
        ({"vendor": 8, "region": 0}, "region 0, expected 1 to 7 for vendor 8"),
        ({"vendor": 6, "region": 1}, "region 1, expected 0 for vendor 6"),
        ({"vendor": 6, "region": 0, "extensionParams": {"tag": "t"}}, "tag is only for"),
        ({"vendor": 11, "region": 0}, "needs extensionParams.endpoint"),
    ],
)
def test_rules_between_fields_of_the_store(changes, why):
    assert why in refusal({f"{STORAGE}.{key}": value for key, value in changes.items()})


def test_several_problems_are_named_at_once():
    said = refusal({"uid": "0", f"{CANVAS}.fps": 2, f"{STORAGE}.vendor": 99})
    assert said.count("; ") == 2
    many = refusal(
        {f"{CANVAS}.{key}": "x" for key in ("width", "height", "fps", "bitrate")}
        | {
            f"{RECORDING}.{key}": "x"
            for key in (
                "channelType",
                "streamTypes",
                "maxIdleTime",
                "audioProfile",
                "videoStreamType",
            )
        }
    )
    assert many.endswith("; and 4 more")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({f"{RECORDING}.subscribeAudioUids": GONE}, "subscribeAudioUids: no sound"),
        ({f"{RECORDING}.subscribeVideoUids": GONE}, "subscribeVideoUids: no pictures"),
        ({f"{RECORDING}.subscribeVideoUids": ["7", "8"]}, "subscribeUidGroup: 0 is for 2"),
        ({f"{CANVAS}.bitrate": GONE}, "bitrate: not set"),
        ({f"{CANVAS}.maxResolutionUid": "5"}, "maxResolutionUid: has no effect"),
        ({f"{RECORDING}.secret": "s"}, "decryptionMode: 0 or not set"),
        ({f"{STORAGE}.stsToken": "s"}, "stsToken: not said when it ends"),
        ({f"{RECORDING}.maxIdleTime": 5}, "maxIdleTime: it ends when nobody is there for 5 s"),
        ({f"{RECORDING}.new": 1}, f"{RECORDING}.new: unknown key, sent as it is"),
        (
            {"clientRequest.tokens": "SECRET"},
            "clientRequest.tokens: unknown key, sent as it is; did you mean token?",
        ),
        (
            {f"{RECORDING}.extensionParams": {"enableNTPtimestamp": True}},
            f"{RECORDING}.extensionParams.enableNTPtimestamp: unknown key",
        ),
    ],
)
def test_what_is_allowed_and_seldom_meant(changes, key):
    (caution,) = parse(StartRequest, changed(changes)).cautions()
    assert str(caution).startswith(key)


def test_nothing_to_say_about_the_usual_body():
    assert parse(StartRequest, START).cautions() == ()


def test_a_list_for_one_medium_is_fine_where_the_other_is_not_recorded():
    audio = changed({f"{RECORDING}.streamTypes": 0, f"{RECORDING}.subscribeVideoUids": GONE})
    cautions = parse(StartRequest, audio).cautions()
    assert [caution.key for caution in cautions] == ["transcodingConfig"]


def test_unknown_keys_are_sent_as_they_are_and_may_be_secrets():
    more = {"a": ["secretSECRET", {"b": None, "c": 1.0}], "deep": {"key": "other SECRET"}}
    body = changed({f"{CANVAS}.more": more, "later": 0})
    body["clientRequest"]["recordingConfig"]["transcodingConfig"] |= {
        "mixedVideoLayout": 3,
        "layoutConfig": [{**REGION, "blur": 5}],
    }
    request = parse(StartRequest, body)
    assert wire(request) == body
    assert {caution.key for caution in request.cautions()} == {
        f"{CANVAS}.more.a",
        f"{CANVAS}.more.deep.key",
        f"{CUSTOM}.0.blur",
        "later",
    }
    shown = masked(request)["clientRequest"]["recordingConfig"]["transcodingConfig"]["more"]
    assert shown == {"a": ["***", {"b": None, "c": 1.0}], "deep": {"key": "***"}}
    assert {"secretSECRET", "other SECRET"} < secrets(request)
    assert "SECRET" not in repr(request)


def test_the_name_of_an_unknown_key_cannot_draw_on_a_terminal():
    (caution,) = parse(StartRequest, changed({f"{RECORDING}.\x1b[2J" + "x" * 99: 1})).cautions()
    assert str(caution).isprintable()
    assert len(str(caution)) < 150


def test_an_empty_token_is_none():
    request = parse(StartRequest, changed({"clientRequest.token": ""}))
    assert "token" not in wire(request)["clientRequest"]
    assert request.client_request.token is None


HOUR = 3600


@pytest.mark.parametrize(
    ("left", "lasts", "said"),
    [
        (HOUR, 72 * HOUR, "token: ends in 60 minutes and cannot be renewed; the recording may"),
        (-1, HOUR, "token: has ended and cannot be renewed; the recording may last 1 hours"),
        (24 * HOUR - 60, 72 * HOUR, None),  # none lasts longer
        (2 * HOUR, 2 * HOUR, None),
        (2 * HOUR, 3 * HOUR, "token: ends in 120 minutes"),
    ],
)
def test_a_token_that_ends_before_the_recording_can(left, lasts, said):
    request = parse(StartRequest, changed({"clientRequest.token": version_7(0, 1000 + left)}))
    told = [str(caution) for caution in request.client_request.ending(1000, lasts)]
    assert len(told) == (said is not None)
    assert all(one.startswith(said) for one in told)


# What is sent.


def test_sent_as_given():
    zeros = {
        f"{CANVAS}.mixedVideoLayout": 3,
        CUSTOM: [{**REGION, "x_axis": 0.0, "alpha": 0, "render_mode": 0}],
    }
    body = changed(zeros)
    sent = wire(parse(StartRequest, body))
    assert sent == body
    region = sent["clientRequest"]["recordingConfig"]["transcodingConfig"]["layoutConfig"][0]
    assert [repr(region[key]) for key in ("x_axis", "y_axis", "alpha")] == ["0.0", "0", "0"]


def test_the_english_spelling_of_unsubscribe_is_sent_as_the_service_knows_it():
    body = changed({f"{RECORDING}.subscribeAudioUids": GONE})
    body["clientRequest"]["recordingConfig"]["unsubscribeAudioUids"] = ["9"]
    sent = wire(parse(StartRequest, body))["clientRequest"]["recordingConfig"]
    assert sent["unSubscribeAudioUids"] == ["9"]
    assert "unsubscribeAudioUids" not in sent


def test_nothing_that_was_not_set_is_sent():
    body = {"cname": "a", "uid": "1", "clientRequest": {}}
    assert wire(parse(AcquireRequest, body)) == body
    assert wire(TranscodingConfig(width=1, height=None)) == {"width": 1}


def test_from_python_in_snake_case():
    storage = StorageConfig(
        vendor=1, region=0, bucket="b", access_key=SecretStr("a"), secret_key=SecretStr("s")
    )
    assert wire(storage)["accessKey"] == "a"
    assert wire(Region(x_axis=0, y_axis=0, width=1, height=1, render_mode=0)) == {
        **REGION,
        "render_mode": 0,
    }


def test_printed_without_secrets():
    body = changed({f"{CANVAS}.backgroundImage": "https://me:pw@host/a.jpg?Signature=abc"})
    request = parse(StartRequest, body)
    shown = masked(request)
    storage = shown["clientRequest"]["storageConfig"]
    assert (shown["clientRequest"]["token"], storage["accessKey"]) == ("***", "***")
    canvas = shown["clientRequest"]["recordingConfig"]["transcodingConfig"]
    assert canvas["backgroundImage"] == "https://***@host/a.jpg?***"
    assert secrets(request) == {TOKEN, ACCESS, SECRET}
    assert "SECRET" not in f"{shown} {request!r}"


def test_every_vendor_and_region_is_accepted():
    for vendor, regions in REGIONS.items():
        more = {"extensionParams": {"endpoint": "h"}} if vendor == 11 else {}
        for region in regions:
            body = {
                f"{STORAGE}.{k}": v for k, v in {"vendor": vendor, "region": region, **more}.items()
            }
            parse(StartRequest, changed(body))


# Other calls and modes.


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"scene": 3}, "expected at most 2"),
        ({"scene": 1}, "clientRequest.scene: 1, expected 0 in mode mix"),
        ({"resourceExpiredHour": 0}, "expected at least 1"),
        ({"resourceExpiredHour": 721}, "expected at most 720"),
        ({"region": "US"}, "expected 'CN', 'AP', 'EU' or 'NA'"),
        ({"regionAffinity": 5}, "expected at most 4"),
        ({"excludeResourceIds": []}, "expected it not to be empty"),
        ({"startParameter": {}}, "startParameter.storageConfig: missing"),
    ],
)
def test_acquire(parameters, why):
    with pytest.raises(UsageError, match=why):
        refuse_unfit(
            parse(AcquireRequest, {"cname": "a", "uid": "1", "clientRequest": parameters}), "mix"
        )


def test_individual_mode():
    told = refusal({f"{RECORDING}.subscribeUidGroup": GONE}, mode="individual")
    for key in ("transcodingConfig", "audioProfile", "subscribeUidGroup: missing"):
        assert key in told
    assert "avFileType mp4: not for mode individual" in refusal(
        {"clientRequest.recordingFileConfig.avFileType": ["hls", "mp4"]}, mode="individual"
    )


def test_raw_is_what_the_service_calls_individual_mode_by_now():
    told = refusal({f"{RECORDING}.subscribeUidGroup": GONE}, mode="raw")
    for key in ("transcodingConfig: not for mode raw", "subscribeUidGroup: missing"):
        assert key in told
    refuse_unfit(
        parse(StartRequest, changed({CANVAS: GONE, f"{RECORDING}.audioProfile": GONE})), "raw"
    )
    acquire = {"cname": "a", "uid": "1", "clientRequest": {"scene": 2}}
    refuse_unfit(parse(AcquireRequest, acquire), "raw")


def test_web_mode():
    told = refusal({}, mode="web")
    assert "recordingConfig: not for mode web" in told
    assert "extensionServiceConfig: missing" in told
    page = {"serviceName": "web_recorder_service", "serviceParam": {"url": "https://x"}}
    body = changed(
        {
            "cname": "any label / at all" * 20,
            "clientRequest.recordingConfig": GONE,
            "clientRequest.extensionServiceConfig": {"extensionServices": [page]},
        }
    )
    refuse_unfit(parse(StartRequest, body), "web")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, "nothing to update"),
        ({"streamSubscribe": {"audioUidList": {}}}, "expected subscribeAudioUids or un"),
        ({"streamSubscribe": {"videoUidList": {"subscribeAudioUids": ["1"]}}}, "expected subscr"),
        ({"storageConfig": {}}, "storageConfig.vendor: missing"),
    ],
)
def test_update(parameters, why):
    with pytest.raises(UsageError, match=why):
        parse(UpdateRequest, {"cname": "a", "uid": "1", "clientRequest": parameters})


def test_update_of_one_medium_is_mentioned():
    lists = {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["1"]}}}
    request = parse(UpdateRequest, {"cname": "a", "uid": "1", "clientRequest": lists})
    assert [caution.key for caution in request.cautions()] == ["streamSubscribe.videoUidList"]


def test_a_layout_cannot_change_the_size():
    wide = parse(LayoutRequest, {"cname": "a", "uid": "1", "clientRequest": {"width": 5}})
    assert [caution.key for caution in wide.cautions()] == ["clientRequest.width"]
    request = parse(LayoutRequest, {"cname": "a", "uid": "1", "clientRequest": {}})
    with pytest.raises(UsageError, match="mode web has no layout"):
        refuse_unfit(request, "web")
