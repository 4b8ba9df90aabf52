"""Where Agora puts a recording: ``storageConfig`` of Agora's REST reference."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.agora.schema.values import Body, Caution, Secret, Text
from pipeline.errors import UsageError

AMAZON, ALIBABA, TENCENT, S3_COMPATIBLE = 1, 2, 3, 11
REGIONS = {  # vendor: its region codes
    0: range(5),
    AMAZON: range(26),
    ALIBABA: range(28),
    TENCENT: range(20),
    4: range(10),
    5: range(1),
    6: range(1),
    7: range(16),
    8: range(1, 8),
    S3_COMPATIBLE: range(1),
}
LONGEST_PREFIX = 128  # characters, with the slash behind each part
LEAST_VALIDITY = 4 * 3600  # seconds that temporary credentials should be good for


def _vendor(number: int) -> int:
    if number not in REGIONS:
        raise ValueError(f"expected one of {', '.join(map(str, REGIONS))}")
    return number


def _part(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise ValueError("expected only letters A-Z a-z and digits in a part of the prefix")
    return text


def _prefix(parts: list[str]) -> list[str]:
    length = sum(len(part) + 1 for part in parts)
    if length > LONGEST_PREFIX:
        raise ValueError(f"{length} characters with slashes, expected at most {LONGEST_PREFIX}")
    return parts


class ExtensionParams(Body):
    """``extensionParams``: what only some vendors have."""

    sse: Literal["kms", "aes256"] | None = None
    tag: Text | None = None
    endpoint: Text | None = None


class StorageConfig(Body):
    """``storageConfig``: bucket and credentials, which need not allow more than to write."""

    vendor: Annotated[int, AfterValidator(_vendor)]
    region: int
    bucket: Text
    access_key: Secret
    secret_key: Secret
    sts_token: Secret | None = None
    sts_expiration: Annotated[int, Field(ge=1, le=2**64 - 1)] | None = None  # Unix seconds
    file_name_prefix: (
        Annotated[list[Annotated[str, AfterValidator(_part)]], AfterValidator(_prefix)] | None
    ) = None
    extension_params: ExtensionParams | None = None

    @model_validator(mode="after")
    def _vendor_knows(self) -> "StorageConfig":
        codes = REGIONS[self.vendor]
        if self.region not in codes:
            known = f"{codes[0]} to {codes[-1]}" if len(codes) > 1 else f"{codes[0]}"
            raise ValueError(f"region {self.region}, expected {known} for vendor {self.vendor}")
        if self.sts_token and self.vendor not in (AMAZON, ALIBABA, TENCENT):
            raise ValueError("stsToken is only for vendors 1, 2 and 3")
        if self.sts_expiration is not None and not self.sts_token:
            raise ValueError("stsExpiration without stsToken: give both or neither")
        self._extensions()
        return self

    def _extensions(self) -> None:
        more = self.extension_params or ExtensionParams()
        if more.sse and self.vendor != AMAZON:
            raise ValueError("extensionParams.sse is only for vendor 1")
        if more.tag and self.vendor not in (AMAZON, ALIBABA):
            raise ValueError("extensionParams.tag is only for vendors 1 and 2")
        if (self.vendor == S3_COMPATIBLE) != (more.endpoint is not None):
            raise ValueError("vendor 11 needs extensionParams.endpoint, and no other vendor has it")

    def ending(self, now: float) -> Iterator[Caution]:
        """A caution if temporary credentials end soon; ``now`` is in seconds since 1970.

        Raises ``UsageError`` if they have ended.
        """
        if self.sts_expiration is None:
            return
        left = self.sts_expiration - now
        if left <= 0:
            raise UsageError("storageConfig.stsExpiration: has passed; get new credentials")
        if left < LEAST_VALIDITY:
            detail = f"ends in {left / 60:.0f} minutes; Agora wants 4 hours at least"
            yield Caution("stsExpiration", detail)

    def cautions(self) -> Iterator[Caution]:
        """Settings that are allowed and probably not meant."""
        if self.sts_token and self.sts_expiration is None:
            yield Caution("stsToken", "not said when it ends; set stsExpiration")
        endpoint = self.extension_params.endpoint if self.extension_params else None
        if endpoint and "://" in endpoint:
            detail = "documented as the name of a host, without https://"
            yield Caution("extensionParams.endpoint", detail)
