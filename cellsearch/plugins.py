"""Classes by name: the ones that come along, other packages' entry points, and "module:Class"."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from cellsearch.errors import CellSearchError, SpaceError, nearest, shown, told

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Plugins(Generic[Kind]):
    """The classes of one kind, for instance all tasks.

    `word` is what people call them, `group` the group of entry points, `builtin` maps names to
    "module:Class", `base` is what they are made from, `error` what is raised.
    """

    word: str
    group: str
    builtin: Mapping[str, str]
    base: type
    error: type[CellSearchError]

    def names(self) -> tuple[str, ...]:
        """Return the names of the classes that are installed, built in or not, sorted."""
        installed = (entry.name for entry in entry_points(group=self.group))
        return tuple(sorted({*self.builtin, *installed}))

    def find(self, name: str) -> type[Kind]:
        """Return the class of that name, importing it.

        Raises `error` if there is none of this name, or if what is found is of another kind.
        """
        if name in self.builtin:
            return self._import(name, self.builtin[name])
        if ":" in name:
            return self._import(name, name)
        values = sorted({entry.value for entry in entry_points(group=self.group, name=name)})
        if not values:
            known = self.names()
            raise self.error(
                f"there is no {self.word} {name!r}{nearest(name, known)}; known: "
                f"{', '.join(known)}, or 'module:Class' for one of your own"
            )
        if len(values) > 1:
            raise self.error(
                f"several packages give a {self.word} {name!r} ({', '.join(values)}); "
                "say which as 'module:Class'"
            )
        return self._import(name, values[0])

    def check_settings(
        self,
        name: str,
        kind: type[Kind],
        settings: Mapping[str, Any],
        without: tuple[str, ...] = (),
    ) -> None:
        """Raise `error` for settings that the constructor does not take, or that are missing.

        `without` are arguments of the constructor that are no settings.
        """
        given_by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        taken = {
            key: parameter
            for key, parameter in inspect.signature(kind).parameters.items()
            if parameter.kind in given_by_name and key not in without
        }
        for key in settings:
            if key not in taken:
                has = f"its settings are {', '.join(taken)}" if taken else "it has no settings"
                raise self.error(
                    f"{self.word} {name!r} has no setting {key!r}{nearest(key, taken)}; {has}"
                )
        for key, parameter in taken.items():
            if parameter.default is parameter.empty and key not in settings:
                raise self.error(f"{self.word} {name!r} needs the setting {key!r}")

    def make(
        self, name: str, kind: type[Kind], settings: Mapping[str, Any], *given: Any, **further: Any
    ) -> Kind:
        """Return what the class's constructor makes of its settings, checked before.

        `given` and `further` are arguments that are no settings. What the constructor says is wrong
        with its input is raised as it is; anything else as `error`, in one line.
        """
        try:
            return kind(*given, **further, **settings)
        except (self.error, SpaceError):
            raise
        except (Exception, SystemExit) as error:
            file = getattr(sys.modules.get(kind.__module__), "__file__", None)
            said = ", ".join(f"{key}={value!r}" for key, value in settings.items())
            of = f" with {said}" if said else ""
            raise self.error(
                f"{self.word} {name!r}: cannot be made{of}: {told(error, file)}"
            ) from error

    def _import(self, name: str, value: str) -> type[Kind]:
        where = f"{self.word} {name!r}"
        module, _, attribute = value.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), attribute)):
            raise self.error(f"{where}: expected 'module:Class', found {value!r}")
        try:
            imported = importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise self.error(
                f"{where}: cannot import {module!r} ({error}); install it, or add its folder to "
                "PYTHONPATH"
            ) from error
        except (Exception, SystemExit) as error:
            raise self.error(f"{where}: importing {module!r} failed: {told(error)}") from error
        kind = getattr(imported, attribute, None)
        if kind is None:
            like = nearest(attribute, vars(imported))
            raise self.error(f"{where}: the module {module!r} has no {attribute!r}{like}")
        return self.check_class(name, kind)

    def check_class(self, name: str, kind: object) -> type[Kind]:
        """Return what was found under a name, if it is a class of this kind with all its methods.

        Raises `error` otherwise.
        """
        where = f"{self.word} {name!r}"
        if not (inspect.isclass(kind) and issubclass(kind, self.base)):
            base = self.base.__name__
            raise self.error(f"{where}: expected a class made from {base}, found {shown(kind)}")
        if inspect.isabstract(kind):
            missing = ", ".join(sorted(f"{each}()" for each in vars(kind)["__abstractmethods__"]))
            raise self.error(f"{where}: the class {kind.__name__!r} lacks {missing}")
        found: type[Kind] = kind  # type: ignore[assignment]  # issubclass(kind, base) holds
        return found
