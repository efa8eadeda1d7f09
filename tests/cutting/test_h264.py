"""What goes before the first packet of a copy."""

from streamer.cutting.h264 import prologue

SPS, PPS, IDR, SLICE = b"\x67sps", b"\x68pps", b"\x65picture", b"\x41picture"
NOTE = b"\x06\x05\xff" + bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef") + b"x264 - core 148"
HEAD = b"\x01\x64\x00\x1f\xff\xe1\x00\x04" + SPS + b"\x01\x00\x04" + PPS


def units(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_the_note_of_the_encoder_goes_before_a_packet_that_has_none() -> None:
    first = units(NOTE, IDR)
    assert prologue(HEAD, first=first, packet=units(IDR), in_band=False) == units(NOTE)
    assert prologue(HEAD, first=first, packet=first, in_band=False) == b""
    assert prologue(HEAD, first=units(IDR), packet=units(SLICE), in_band=False) == b""


def test_parameter_sets_go_before_a_picture_that_is_no_instantaneous_refresh() -> None:
    assert prologue(HEAD, first=units(IDR), packet=units(SLICE), in_band=True) == units(SPS, PPS)
    assert prologue(HEAD, first=units(IDR), packet=units(IDR), in_band=True) == b""


def test_a_stream_of_another_form_is_left_alone() -> None:
    assert prologue(b"", first=units(NOTE, IDR), packet=units(IDR), in_band=True) == b""
    assert prologue(b"\0\0\0\1" + SPS, first=units(NOTE), packet=units(IDR), in_band=True) == b""
