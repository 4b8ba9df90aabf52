"""What obstore cannot do for the tests on Azurite: make a container."""

import base64
import email.utils
import hashlib
import hmac
import urllib.error
import urllib.request

ACCOUNT = "testaccount"
KEY = base64.b64encode(
    b"a key of tests that nobody should see, 64 bytes long, as on Azure"
).decode()

ENVIRONMENT = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}


def create_container(endpoint_url: str, name: str) -> bool:
    """Put one, signed with the account's key; False while nobody answers."""
    date = email.utils.formatdate(usegmt=True)
    headers = {"x-ms-date": date, "x-ms-version": "2021-12-02", "Content-Length": "0"}
    signed = f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:{headers['x-ms-version']}\n"
    signed += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{endpoint_url}/{name}?restype=container"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, None, headers, method="PUT")):
            return True
    except urllib.error.HTTPError:
        raise
    except OSError:
        return False
