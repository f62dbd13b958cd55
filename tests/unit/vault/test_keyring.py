import base64

import pytest

from vault.keyring import KeyringError, parse_keyring

A, B = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_first_line_is_active_and_older_keys_stay() -> None:
    ring = parse_keyring(f"k2:{B}\nk1:{A}\n", "X")
    assert ring.active == 2
    assert ring.keys == {1: b"\x01" * 32, 2: b"\x02" * 32}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "secret",
        f"1:{A}",
        f"k0:{A}",
        f"k256:{A}",
        f"k1:{A}\nk1:{B}",
        "k1:" + A[:-4],
        "k1:!",
    ],
)
def test_refuses_what_is_no_keyring_and_never_quotes_it(text: str) -> None:
    with pytest.raises(KeyringError) as refusal:
        parse_keyring(text, "X")
    assert A[:10] not in str(refusal.value)


def test_printing_a_keyring_shows_no_key() -> None:
    shown = repr(parse_keyring(f"k1:{A}", "X"))
    assert A not in shown
    assert "\\x01" not in shown
