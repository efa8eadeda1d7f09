"""The signature that is called is the wanted one, and what there is can be printed."""

import pytest

from streamer.errors import SignatureError
from streamer.models.signature import TensorSpec, choose_signature


def test_the_signature_is_the_wanted_one_or_the_default_or_the_only_one() -> None:
    assert choose_signature(["a", "serving_default"], None) == "serving_default"
    assert choose_signature(["a", "serving_default"], "a") == "a"
    assert choose_signature(["only"], None) == "only"


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (["b", "a"], None, "no signature 'serving_default'.*may be one of: a, b"),
        (["serving_default"], "detect", "no signature 'detect'.*may be one of: serving_default"),
        ([], None, "the model has no signature"),
    ],
)
def test_a_signature_that_is_not_there_lists_those_that_are(names: list[str], wanted: str | None, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        choose_signature(names, wanted)


def test_names_from_a_model_cannot_write_to_the_terminal() -> None:
    assert str(TensorSpec("\x1b[2Jx", "float32", (1, None))).isprintable()
    with pytest.raises(SignatureError) as caught:
        choose_signature(["\x1b[2Jx", "b"], None)
    assert str(caught.value).isprintable()
