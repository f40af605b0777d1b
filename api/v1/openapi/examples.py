#!/usr/bin/env python3
"""Examples, put together from those of the single fields."""

from typing import Any


def example_of(schema: dict[str, Any], shapes: dict[str, Any]) -> Any:
    """Return something that has the form of `schema`.

    `shapes` are those that a reference may name.
    """
    if "$ref" in schema:
        return example_of(shapes[schema["$ref"].rsplit("/", 1)[1]], shapes)
    if schema["type"] == "array":
        return [example_of(schema["items"], shapes)]
    if schema["type"] == "object":
        return {
            name: example_of(field, shapes)
            for name, field in schema["properties"].items()
            if name in schema["required"]
        }
    return schema["examples"][0]
