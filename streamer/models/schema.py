"""Classes of protocol buffers from a table of the fields that are looked at, made at run time.

They are in a pool of their own, so that TensorFlow's are not touched, and whatever the table leaves out is skipped, not
parsed. Called by those who read graphs without TensorFlow.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Mapping[str, tuple[int, str]]]
"""Message, field, its number, its type: another message, or bytes, string, int64, float; * for any number of them."""

Message = Any
"""A message of a schema: its classes are made at run time."""


def message_classes(schema: Schema) -> dict[str, type[Message]]:
    """The classes of all messages of a schema, by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415 - for models only

    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "bytes": kinds.TYPE_BYTES,
        "string": kinds.TYPE_STRING,
        "int64": kinds.TYPE_INT64,
        "float": kinds.TYPE_FLOAT,
    }
    file = descriptor_pb2.FileDescriptorProto(name="schema.proto", package="streamer", syntax="proto3")
    for message_name, fields in schema.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            label = kinds.LABEL_REPEATED if kind.startswith("*") else kinds.LABEL_OPTIONAL
            held = kind.removeprefix("*")
            field = message.field.add(name=name, number=number, label=label, type=scalars.get(held, kinds.TYPE_MESSAGE))
            if held not in scalars:
                field.type_name = f".streamer.{held}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"streamer.{name}")) for name in schema}
