"""The targets of very many images, one after another: the rules of `convcli.runs.outputs.resolve`, in bounded memory.

Of each image at most three hashes of 64 bits are kept. That two of ten million names have the same hash by chance has a
probability of 3 in a million. Then one of the two images fails, and nothing is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache

from convcli.errors import ConvError, ImageError, param
from convcli.runs import outputs
from convcli.runs.inputs import Found, Inputs
from convcli.runs.outputs import STDOUT, Job, Rules, key_of, where_of
from convcli.system.hashes import Hashes
from convcli.system.names import STDIO, existing, exists, folded, is_stream, is_url, taken_for_one
from convcli.system.spool import Spool


class Places:
    """Where results go: a set of paths, as hashes."""

    def __init__(self) -> None:
        self._exact = Hashes()  # of paths
        self._alike = Hashes()  # of `folded` paths, where they differ from the path

    def __contains__(self, where: str) -> bool:
        """Whether this path was added."""
        return hash(where) in self._exact

    def taken(self, where: str) -> bool:
        """Whether a path was added that is the same file here."""
        if where in self:
            return True
        alike = folded(where)
        if is_url(where) or not (hash(alike) in self._alike or (alike != where and hash(alike) in self._exact)):
            return False
        folder = existing(os.path.dirname(where))
        return taken_for_one(folder, "A", "a") or (not where.isascii() and taken_for_one(folder, "\u00e9", "e\u0301"))

    def add(self, where: str) -> None:
        """Add a path."""
        self._exact.add(hash(where))
        if (alike := folded(where)) != where:
            self._alike.add(hash(alike))


class Stream:
    """The further images of a run, with their targets, as they are found. Iterate over it once.

    What breaks a rule has an error. An image that would replace a file waits until all other images were yielded: only then is
    it known that the file is none of the inputs.

    Parameters
    ----------
    found : Inputs
    rules : Rules

    Attributes
    ----------
    total : int, optional
        The number of all images, once it is known.
    """

    def __init__(self, found: Inputs, rules: Rules) -> None:
        self.found, self.rules = found, rules
        self.total: int | None = None
        self._count = 0
        self._named = outputs.namer(rules.output, rules.kernel, rules.form)
        self._where = lru_cache(1 << 10)(os.path.realpath)
        self._kept = {key: name for name in reversed(rules.read) if (key := key_of(name)) is not None}
        self._replaces = not (rules.skip_existing or rules.in_place) and (rules.output is not None or rules.overwrite)
        self._inputs, self._places = Hashes(), Places()
        self._waiting = Spool()
        self._earlier = Earlier(found, self)

    def begin(self, first: Sequence[Found]) -> list[Job]:
        """The first images, which were taken from the others, with their targets; without those that have to wait.

        Raises an ImageError if one breaks a rule.
        """
        images = [image for image in first if not image.root or not self._is_result(image)]
        begun = []
        for job in self.rules.jobs([image.path for image in images], [image.below for image in images]):
            self._know(job.source)
            self._count += 1
            stream = job.target != STDIO and is_stream(job.target)
            if self._replaces and not stream and os.path.lexists(job.target):
                self._wait(job.source, job.target)
                continue
            if not stream:
                self._places.add(self.where(job.target))
            begun.append(job)
        return begun

    def _wait(self, source: str, target: str) -> None:
        self._waiting.add(source)
        self._waiting.add(target)

    def where(self, path: str) -> str:
        """Where a path leads, without links."""
        return where_of(path, self._where)

    def named(self, image: Found) -> str:
        """The target of an image."""
        return image.path if self.rules.in_place else self._named(image.path, image.below)

    def __iter__(self) -> Iterator[Job]:
        try:
            for image in self.found:
                if not image.root or not self._is_result(image):
                    yield from self._jobs(image)
        except ConvError as error:  # the list cannot be read any further
            self._count += 1
            yield Job(f"list '{self.found.listed}'" if self.found.listed else "", "", error)
        self.total = self._count
        names = iter(self._waiting)
        for source, target in zip(names, names, strict=True):
            yield self._last(source, target)

    def _is_result(self, image: Found) -> bool:
        """Whether an image that was found in a folder is a result, of this run or an earlier one."""
        where = self.where(image.path)
        return where in self._places or (self.rules.skip_existing and self._earlier.made(image, where))

    def _jobs(self, image: Found) -> Iterator[Job]:
        source = image.path
        self._count += 1
        try:
            target = self.named(image)
            outputs.check_ending(target, self.rules.form)
            if not self._check(source, target):
                self._wait(source, target)
                return
        except ImageError as error:
            yield Job(source, "", error)
        else:
            yield Job(source, target)

    def _know(self, source: str) -> None:
        if self._replaces and (key := key_of(source)) is not None:
            self._inputs.add(hash(key))

    def _check(self, source: str, target: str) -> bool:
        """Whether an image can be worked on now; False if it has to wait. Raises an ImageError if its target breaks a rule."""
        self._know(source)
        rules = self.rules
        if is_url(source) and source in self._places:
            rule = "was written by this run, as the result of another image"
            raise ImageError(f"input '{source}'", rule, "use other names for results")
        if target != STDIO and is_stream(target):
            return True
        where = self.where(target)
        self._check_free(source, target, where)
        if is_url(target):
            if target == source or (self._replaces and hash(target) in self._inputs):
                raise outputs.replaces_input(target, target, False)
        elif target != STDIO and os.path.lexists(target):
            key = key_of(target)
            if key in self._kept:
                raise outputs.replaces_kernel(target, self._kept[key])
            if not rules.in_place:
                if key is not None and key == key_of(source):
                    raise outputs.replaces_input(target, source, False)
                if self._replaces:
                    self._check_input(target, key)
                    return False
                if not rules.skip_existing:
                    raise exists(target)
        self._places.add(where)
        return True

    def _check_free(self, source: str, target: str, where: str) -> None:
        if self._places.taken(where):
            template = param("output", "'out/{parent}/{name}'")
            remedy = f"use each image only once, and a folder or a template, {template}"
            rule = f"would be written to '{target}', as another image of this run"
            raise ImageError(f"'{source}'", rule, remedy)

    def _check_input(self, target: str, key: outputs.Key | None) -> None:
        if key is not None and hash(key) in self._inputs:
            raise ImageError(f"output '{target}'", "is an input of this run", "use another name")

    def _last(self, source: str, target: str) -> Job:
        """An image that has waited."""
        where = self.where(target)
        try:
            self._check_input(target, key_of(target))
            self._check_free(source, target, where)
        except ImageError as error:
            return Job(source, "", error)
        self._places.add(where)
        return Job(source, target)


class Earlier:
    """Results of an earlier run in a folder that is searched: the targets of its images, in a search of its own."""

    def __init__(self, found: Inputs, stream: Stream) -> None:
        self.found, self.stream = found, stream
        self._root: str | None = None
        self._made = Hashes()

    def made(self, image: Found, where: str) -> bool:
        """Whether an image is the target of another one in the folder that was searched."""
        if not self._meets(image.root):
            return False
        if image.root != self._root:
            self._root, self._made = image.root, Hashes()
            for one in self.found.search(image.root):
                target = self.stream.where(self.stream.named(one))
                if target != self.stream.where(one.path):
                    self._made.add(hash(target))
        return hash(where) in self._made

    def _meets(self, root: str) -> bool:
        """Whether results may lie in a folder that is searched."""
        output = self.stream.rules.output
        if output in (STDIO, STDOUT) or self.stream.rules.in_place:
            return False
        fixed, template, _ = (output or "{").partition("{")
        to = fixed.rpartition("/")[0] if template else fixed
        here, there = (os.path.join(self.stream.where(os.path.join(folder or ".", "")), "") for folder in (to, root))
        return there.startswith(here) or (not to and here.startswith(there))  # else it is skipped in the search
