"""Keep secrets in arguments and results off the pages."""

import json
import re
from typing import Any

MASK = "•••"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_SECRET_WORDS = frozenset(
    [
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "csrf",
        "jwt",
        "key",
        "keys",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pwd",
        "secret",
        "secrets",
        "signature",
        "token",
        "tokens",
    ]
)
_SECRET_PARTS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential")

_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")


def looks_secret(key: str) -> bool:
    """Whether a key's name says that its value is secret: "db_password", "apiKey"; but not "keyboard"."""
    words = {word.lower() for word in _WORDS.findall(key)}
    squeezed = re.sub(r"[^a-z]", "", key.lower())
    return bool(words & _SECRET_WORDS) or any(part in squeezed for part in _SECRET_PARTS)


def masked(value: Any) -> Any:
    """The value with the secrets in it replaced, at any depth."""
    if isinstance(value, dict):
        return {key: MASK if looks_secret(str(key)) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return without_passwords(value) if isinstance(value, str) else value


def without_passwords(text: str) -> str:
    """The text with the passwords in its URLs replaced."""
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", text)


def masked_json(value: Any) -> str:
    """The value as indented JSON, with its secrets replaced."""
    return json.dumps(masked(value), indent=2, ensure_ascii=False)
