"""What may be written into the store: names, numbers, comments. The rules are narrow on purpose: a published name stays
for ever, in file names, URLs and reports."""

import operator
import re
from typing import SupportsIndex

from muonkit.core.errors import InputError

LIMIT = 2**31 - 1  # numbers stay below it: the database keeps them in 32 bits, and the guards use it for "open"
LONGEST_NAME, LONGEST_COMMENT = 200, 1000

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
SCHEMA = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*/[1-9][0-9]*")


def whole(what: str, value: SupportsIndex, low: int = 0) -> int:
    """`value` as an int (NumPy's integers too), low <= value < LIMIT. Raises InputError if it is not one."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{what}: {value!r} is not a whole number; give one") from None
    if not low <= number < LIMIT:
        raise InputError(f"{what}: {number} is out of range; give a whole number from {low} to {LIMIT - 1}")
    return number


def check_name(what: str, name: str) -> None:
    """Raises InputError unless `name` is letters, digits, '_', '.', '+', '-', and starts with a letter or digit."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InputError(
            f"{what}: {name!r} cannot be a name; use letters, digits, '_', '.', '+', '-', "
            f"start with a letter or a digit, at most {LONGEST_NAME} characters"
        )


def check_schema(schema: str) -> None:
    """Raises InputError unless `schema` is KIND/VERSION, e.g. KLMLikelihoodParameters/1."""
    if not SCHEMA.fullmatch(schema) or len(schema) > LONGEST_NAME:
        raise InputError(
            f"schema: {schema!r} is not KIND/VERSION; write the kind of content and its version, such as "
            "KLMLikelihoodParameters/1"
        )


def check_comment(comment: str) -> None:
    """Raises InputError unless `comment` is one printable line."""
    if not comment.isprintable() or len(comment) > LONGEST_COMMENT:
        raise InputError(f"comment: give one line of printable text, at most {LONGEST_COMMENT} characters")
