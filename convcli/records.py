"""Records: `typing.NamedTuple`, made in a sixth of its time. Standard library only.

Python compiles a constructor for every named tuple, and checks the type of every field: with some hundred of them that is a
twentieth of the time of a small command (measured). Here all of them share one constructor. A type checker sees
`typing.NamedTuple`, and Python itself uses it where annotations are kept in another way (3.14) or fields are not read in C (PyPy).
"""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    try:
        from _collections import _tuplegetter
    except ImportError:
        _tuplegetter = None

    class _Made(type):
        """Makes a class of records from its annotated fields, as `collections.namedtuple` does from names."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, (tuple,), namespace)
            if len(bases) > 1:
                raise TypeError(f"{name}: a class of records has one base")
            namespace["__slots__"] = ()
            if bases != (NamedTuple,):  # a subclass of a class of records: it has the same fields
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            if [*defaults] != [*fields[len(fields) - len(defaults) :]]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            namespace.update((field, _tuplegetter(place, None)) for place, field in enumerate(fields))
            namespace |= {"_fields": fields, "__match_args__": fields, "_field_defaults": defaults}
            namespace |= {"_count": len(fields), "_tail": tuple(defaults.values())}
            return super().__new__(cls, name, bases, namespace)

        @property
        def __signature__(cls) -> Any:
            """For `inspect.signature`."""
            from inspect import Parameter, Signature

            fields, defaults = cls._fields, cls._field_defaults
            types = next(kind.__annotations__ for kind in cls.__mro__ if "_fields" in vars(kind))  # also for a subclass
            return Signature(
                [
                    Parameter(
                        field,
                        Parameter.POSITIONAL_OR_KEYWORD,
                        default=defaults.get(field, Parameter.empty),
                        annotation=types[field],
                    )
                    for field in fields
                ]
            )

    made = tuple.__new__

    class NamedTuple(metaclass=_Made):
        """A record: see `typing.NamedTuple`."""

        __slots__ = ()

        def __new__(cls, *values: Any, **named: Any) -> Any:
            """A record of these values, the first ones by their order."""
            lacking = cls._count - len(values)
            if lacking or named:
                short = not named and 0 < lacking <= len(cls._tail)
                values = (*values, *cls._tail[-lacking:]) if short else cls._filled(values, named)
            return made(cls, values)

        @classmethod
        def _filled(cls, values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
            """The values of all fields."""
            fields, defaults, count = cls._fields, cls._field_defaults, len(values)
            if count > len(fields):
                raise TypeError(f"{cls.__name__}() takes {len(fields)} values, but {count} were given")
            rest = fields[count:]
            lacking = [field for field in rest if field not in named and field not in defaults]
            if lacking:
                raise TypeError(f"{cls.__name__}() lacks {', '.join(lacking)}")
            found = [*values, *(named.pop(field) if field in named else defaults[field] for field in rest)]
            if named:
                raise TypeError(f"{cls.__name__}() has no field, or two values for, {', '.join(named)}")
            return found

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Any:
            """A record of the values of all fields."""
            record = made(cls, values)
            if len(record) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(record)}")
            return record

        def _replace(self, /, **named: Any) -> Any:
            """The same record with other values."""
            record = self._make(map(named.pop, self._fields, self))
            if named:
                raise ValueError(f"{type(self).__name__} has no field {', '.join(named)}")
            return record

        __replace__ = _replace
        """For `copy.replace`, from Python 3.13 on."""

        def _asdict(self) -> dict[str, Any]:
            """The values by their names."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            """The code that makes it."""
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            """What it is made of when it is copied or unpickled."""
            return tuple(self)

    if sys.version_info >= (3, 14) or _tuplegetter is None:
        from typing import NamedTuple

__all__ = ["NamedTuple"]
