"""Addresses and numbers of persons in training text → typed placeholders, counted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Final

from distillation.pipeline_types import Sample, Turn
from distillation.secrets import texts_of

EMAIL: Final = "email"
PHONE: Final = "phone"
CARD: Final = "card"
PLACEHOLDERS: Final = {EMAIL: "[EMAIL]", PHONE: "[PHONE]", CARD: "[CARD]"}

# The local part begins where no such character stands before, so a long word is tried once, not from each character.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,63}(?![\w-])")
_BEFORE = r"(?<![\w./+#$€£-])"
# A number is a phone number by its written form, never by its length alone: with a plus and a country code, with the
# prefix 00 in groups, or as North Americans write theirs. Plain digits, dates, amounts, versions and ids are none.
_PHONE = re.compile(
    rf"{_BEFORE}(?:"
    r"\+[1-9][0-9]{0,14}(?:[ .\-/]?\([0-9]{1,4}\)[ .\-/]?[0-9]{1,8})?(?:[ .\-/][0-9]{1,8}){0,5}"
    r"|00[1-9][0-9]{0,2}[ /-]\(?[0-9]{1,5}\)?(?:[ /-][0-9]{2,8}){1,4}"
    r"|(?:1[ .-])?\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-][0-9]{4}"
    r"|(?:1[.-])?[2-9][0-9]{2}(?P<mark>[.-])[2-9][0-9]{2}(?P=mark)[0-9]{4}"
    r")(?![\w]|[.,:/-][0-9])"
)
_IN_GROUPS = re.compile(r"[0-9][).-]")
_NO_DIGITS = bytes(code for code in range(256) if not 48 <= code <= 57)
MIN_PHONE_DIGITS: Final = 8
MAX_PHONE_DIGITS: Final = 15
# In groups as they are printed, or in one piece.
_CARD = re.compile(
    rf"{_BEFORE}(?:"
    r"[0-9]{4}(?P<four>[ -])[0-9]{4}(?P=four)[0-9]{4}(?P=four)[0-9]{4}(?:(?P=four)[0-9]{3})?"
    r"|3[0-9]{3}(?P<three>[ -])[0-9]{6}(?P=three)[0-9]{4,5}"
    r"|[0-9]{13,19}"
    r")(?![\w]|[.,:/-][0-9])"
)
_MANY_DIGITS = re.compile(r"[0-9]{4}[ -]?[0-9]{4}")
_ISSUERS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
)


def redact(sample: Sample) -> tuple[Sample, dict[str, int]]:
    """Replace e-mail addresses, phone and payment card numbers by `[EMAIL]`, `[PHONE]`, `[CARD]`.

    Parameters
    ----------
    sample
        All its texts are looked at. Not modified.

    Returns
    -------
    sample, counts
        The same object when nothing was found, and kind → how many were replaced, without zeros.

    Notes
    -----
    A card number is one that an issuer could give out (its first digits and its length) and whose check digit is
    right. Written forms with few digits are left: a missed number does less harm than a mangled table.
    """
    counts: Counter[str] = Counter()
    if not _may_hold_any("\n".join(text for _, text in texts_of(sample))):
        return sample, {}
    clean = Sample(
        system=_clean(sample.system, counts),
        turns=tuple(_clean_turn(turn, counts) for turn in sample.turns),
        context=_clean(sample.context, counts),
        instruction=_clean(sample.instruction, counts),
        response=_clean(sample.response, counts),
    )
    return (clean, dict(counts)) if counts else (sample, {})


def _may_hold_any(text: str) -> bool:
    """Spare nearly all texts the expressions, each of which looks at every character."""
    if "@" in text:
        return True
    if len(text.encode("utf-8", "surrogatepass").translate(None, _NO_DIGITS)) < MIN_PHONE_DIGITS:
        return False
    return "+" in text or "00" in text or _MANY_DIGITS.search(text) is not None or _IN_GROUPS.search(text) is not None


def _clean_turn(turn: Turn, counts: Counter[str]) -> Turn:
    return replace(turn, content=_clean(turn.content, counts))


def _clean(text: str, counts: Counter[str]) -> str:
    if "@" in text:
        text, found = _EMAIL.subn(PLACEHOLDERS[EMAIL], text)
        counts.update({EMAIL: found} if found else {})
    if _MANY_DIGITS.search(text) is not None:
        text = _CARD.sub(lambda match: _placeholder(match, CARD, counts), text)
    text = _PHONE.sub(lambda match: _placeholder(match, PHONE, counts), text)
    return text


def _placeholder(match: re.Match[str], kind: str, counts: Counter[str]) -> str:
    digits = "".join(character for character in match[0] if character.isdigit())
    if kind == CARD:
        is_one = _ISSUERS.fullmatch(digits) is not None and has_check_digit(digits)
    else:
        is_one = MIN_PHONE_DIGITS <= len(digits.removeprefix("00")) <= MAX_PHONE_DIGITS
    if not is_one:
        return match[0]
    counts[kind] += 1
    return PLACEHOLDERS[kind]


def has_check_digit(digits: str) -> bool:
    """Say whether the last digit is the right check digit of those before it.

    References
    ----------
    ISO/IEC 7812-1, annex B: the Luhn formula.
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
