"""Style codes: the few numbers that decide which of many results a method gives.

MUNIT, DRIT and DCGAN draw a code from a standard normal distribution. Here a code is a row of a
float32 tensor ``(n, size)``; what is done with codes is alike for all three methods, and they say
what a code means by being :class:`Coded`.

Codes are whole hundredths, far finer than anyone can see, so that a code written as text is the
code itself and not a copy of it.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import InputError
from zoo.form import Control
from zoo.method import Content, Direction, Strength, Style, Translation
from zoo.nn.blocks import autocast

LIMIT = 99.0  # beyond it a number is a slip of the keyboard
LONGEST = 5.0  # of a code of a picture; two in a thousand normal codes of eight are longer
SHRUNK = 4  # times, contents of the picture they are of
SMALLEST = 64  # of a style picture in pixels; encoders of styles halve it four times
CodeText = Annotated[
    str,
    Field(
        max_length=4096,
        title="Code",
        description="The numbers of a result that was kept; empty to draw them by the seed.",
    ),
    Control(more=True),
]
Samples = Annotated[
    int,
    Field(
        ge=1, le=16, title="Number of results", description="Each is drawn by a seed of its own."
    ),
]

Seeds = Annotated[
    int,
    Field(
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="Of the first picture; the others have the seeds that follow.",
    ),
]


class Coded:
    """A method whose result a code decides; a second base beside :class:`zoo.method.Method`.

    Attributes:
        code_size: How many numbers a code has.
    """

    code_size: int

    def codes(self, seed: int, count: int) -> Tensor:
        """Codes of the seeds ``seed``, ``seed + 1``, …: ``(count, code_size)``, on the CPU."""
        return sample(seed, count, self.code_size)

    def code_from_text(self, text: str) -> Tensor:
        """The code that ``text`` spells, ``(1, code_size)``; raises InputError for any other."""
        return from_text(text, self.code_size)

    def text_from_code(self, code: Tensor) -> str:
        """Write ``(code_size,)`` or ``(1, code_size)`` so that :meth:`code_from_text` reads it."""
        return to_text(code)

    def code_of(self, style: Tensor, direction: Direction = "AtoB") -> Tensor:
        """The code of a style picture ``(1, 3, h, w)`` in [0, 1] as ``(1, code_size)``.

        Args:
            style: From the domain that ``direction`` leads to.
            direction: Which way pictures are translated.

        Raises:
            InputError: This method knows no codes of pictures.
        """
        raise InputError("This method cannot take its code from a picture.")

    def chosen(
        self,
        seed: int,
        samples: int,
        text: str = "",
        style: Tensor | None = None,
        direction: Direction = "AtoB",
    ) -> Tensor:
        """The codes ``(n, code_size)`` a form asks for: of a text, of a picture or of seeds.

        Args:
            seed: Of the first code, where neither text nor picture is given.
            samples: How many codes by seed.
            text: A code that was kept; empty for none.
            style: As in :meth:`code_of`.
            direction: Which way pictures are translated.

        Raises:
            InputError: The text is no code of this method, or there is a picture as well.
        """
        if text.strip() and style is not None:
            raise InputError(
                "Code: there is a style picture as well. Empty the code or take the picture away."
            )
        if text.strip():
            return self.code_from_text(text)
        return self.codes(seed, samples) if style is None else self.code_of(style, direction)

    def render(
        self, content: Tensor | None, codes: Tensor, direction: Direction = "AtoB"
    ) -> Tensor:
        """One picture for each code: ``(n, 3, H, W)`` in [0, 1].

        Args:
            content: ``(1, 3, H, W)`` in [0, 1], both sides divisible by the method's ``multiple``;
                None for methods that take no photo.
            codes: ``(n, code_size)``.
            direction: Which way ``content`` is translated, where there are two.
        """
        if content is None:
            raise TypeError(f"{type(self).__name__} translates pictures and makes none of nothing")
        content_code = self.encoded(content, direction)
        # One at a time, or the memory for large pictures would be a multiple of the number.
        made = [
            self.decoded(content_code, code, direction)
            for code in codes.to(content.device).split(1)
        ]
        return torch.cat(made)

    def encoded(self, content: Tensor, direction: Direction) -> Tensor:
        """The content code of a photo, as :meth:`render` has it: what all results share."""
        raise NotImplementedError

    def decoded(self, content_code: Tensor, code: Tensor, direction: Direction) -> Tensor:
        """The picture ``(1, 3, H, W)`` in [0, 1] of a photo's content code and one code."""
        raise NotImplementedError

    def remembering(self) -> Self:
        """A twin with the same weights, which encodes a photo once for all calls in a row.

        It holds the last photo and its content code: let it go with the work that it was made for.
        """
        twin = copy.copy(self)
        kept: list[tuple[Tensor, Direction, Tensor]] = []

        def encoded(content: Tensor, direction: Direction) -> Tensor:
            for photo, way, content_code in kept:
                if way == direction and torch.equal(photo, content):
                    return content_code
            kept.clear()  # before the work, which may need the memory
            kept.append((content, direction, self.encoded(content, direction)))
            return kept[0][2]

        twin.encoded = encoded  # type: ignore[method-assign]
        return twin


class CodedTranslation(Translation, Coded):
    """Takes a picture of domain ``A`` or ``B`` apart into a content code and a style code.

    A translation is the content code of the photo, decoded with a style code of the other domain.
    A subclass has the three networks: both encoders, and the decoder.

    Differs from the paper [skip]: decoders are given the photo beside its content, and add a change
    to it. Short trainings cannot draw a picture from its content alone, and kinds that share their
    shapes, such as seasons, need not.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.code_size = config.code_size

    def settled(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the code of the style picture in its place."""
        style, text, direction = (arguments.get(key) for key in ("style", "code", "direction"))
        if style is None:
            return arguments
        code = self.chosen(0, 1, text or "", style, direction or "AtoB")
        return {**arguments, "style": None, "code": self.text_from_code(code)}

    def forward(
        self,
        content: Content,
        style: Style | None = None,
        *,
        direction: Direction = "AtoB",
        samples: Samples = 4,
        strength: Strength = 1.0,
        seed: Seeds = 0,
        code: CodeText = "",
    ) -> Tensor:
        """Translate ``content``: as the code or the style picture says, else by the seeds.

        Raises InputError when the code is none, or given beside a style picture.
        """
        codes = self.chosen(seed, samples, code, style, direction)
        return torch.lerp(content, self.render(content, codes, direction), strength)

    def encode_content(self, images: Tensor, domain: str) -> Tensor:
        """Map ``(B, 3, H, W)`` in [-1, 1] to ``(B, C, H / 4, W / 4)``; 4 divides H and W."""
        raise NotImplementedError

    def encode_style(self, images: Tensor, domain: str) -> Tensor:
        """Map ``(B, 3, H, W)`` in [-1, 1], at least 16 pixels a side, to ``(B, code_size)``."""
        raise NotImplementedError

    def decode(
        self, content_code: Tensor, style_code: Tensor, domain: str, base: Tensor | None = None
    ) -> Tensor:
        """Map what the encoders gave to ``(B, 3, H, W)`` in [-1, 1] of ``domain``.

        Where ``skip`` is set that is a change of ``base``, the picture with that content.
        """
        raise NotImplementedError

    def encoded(self, content: Tensor, direction: Direction) -> Tensor:
        """The content code of a photo; see :meth:`Coded.encoded`.

        Where ``skip`` is set, with the photo in further channels.
        """
        with autocast(content.device, self.precision):
            code = self.encode_content(2 * content - 1, direction[0])
        if not self.config.skip:
            return code
        return torch.cat([code.float(), F.pixel_unshuffle(2 * content - 1, SHRUNK)], 1)

    def decoded(self, content_code: Tensor, code: Tensor, direction: Direction) -> Tensor:
        """One translation ``(1, 3, H, W)`` in [0, 1]; see :meth:`Coded.decoded`."""
        base = None
        if self.config.skip:
            photo = 3 * SHRUNK**2
            content_code, base = content_code[:, :-photo], content_code[:, -photo:]
            base = F.pixel_shuffle(base, SHRUNK)
        with autocast(content_code.device, self.precision):
            made = self.decode(content_code, code, direction[-1], base)
        return 0.5 + 0.5 * made.float()

    def code_of(self, style: Tensor, direction: Direction = "AtoB") -> Tensor:
        """The code of a style picture in whole hundredths; see :meth:`Coded.code_of`.

        Codes far longer than any that is drawn are shortened. Training never decoded such ones,
        and pictures of a third kind have them.
        """
        shorter = min(style.shape[2:])
        if shorter < SMALLEST:
            style = F.interpolate(style, scale_factor=SMALLEST / shorter, mode="bilinear")
        found = self.encode_style(2 * style - 1, direction[-1])
        found = found * (LONGEST / found.norm(dim=1, keepdim=True).clamp(min=LONGEST))
        return self.code_from_text(self.text_from_code(found))


def sample(seed: int, count: int, size: int) -> Tensor:
    """Standard normal codes ``(count, size)``, on the CPU so that every device gets the same.

    Row ``i`` is the code of the seed ``seed + i`` whatever the count, so that any one of many
    results can be had again alone, by its own seed.
    """
    rows = [
        torch.randn(size, generator=torch.Generator().manual_seed(seed + i)) for i in range(count)
    ]
    return _hundredths(torch.stack(rows))


def alone(settings: Mapping[str, Any], index: int) -> dict[str, Any] | None:
    """Settings that draw number ``index`` of several results alone.

    None where the ``settings`` of a record drew no results by seeds of their own.
    """
    drawn = settings.keys() >= {"seed", "samples"} and not settings.get("code")
    if not drawn or settings.get("walk_to", -1) >= 0:
        return None
    return {**settings, "seed": settings["seed"] + index, "samples": 1}


def slerp(start: Tensor, end: Tensor, shares: Sequence[float]) -> Tensor:
    """Codes along the way from ``start`` to ``end``, both ``(size,)`` or ``(1, size)``.

    Normal codes lie near a sphere, and a straight line between two of them passes through its
    hollow inside, where no training ever was; this way turns from one direction to the other and
    changes the length evenly.

    Args:
        start: Code at share 0.
        end: Code at share 1.
        shares: Where along the way, each in [0, 1].

    Returns:
        ``(len(shares), size)``; the ends are exact.
    """
    first, last = start.reshape(1, -1), end.reshape(1, -1)
    share = torch.tensor(list(shares), dtype=first.dtype, device=first.device)[:, None]
    straight = torch.lerp(first, last, share)
    cosine = F.cosine_similarity(first, last).clamp(-1, 1)
    angle = torch.acos(cosine)
    if cosine.abs() > 1 - 1e-6:  # alike, opposite or zero: every great circle is as short
        return straight
    direction = torch.sin((1 - share) * angle) * F.normalize(first)
    direction = (direction + torch.sin(share * angle) * F.normalize(last)) / torch.sin(angle)
    length = torch.lerp(first.norm(dim=1), last.norm(dim=1), share)
    turned = length * direction
    return torch.where(share <= 0, first, torch.where(share >= 1, last, turned))


def mix(codes: Tensor, shares: Sequence[float]) -> Tensor:
    """A mixture ``(1, size)`` of ``codes`` ``(n, size)``, as long as they are on average.

    The mean of several normal codes is short, and short codes give pale averages; this one has
    the direction of the mean and the mean of the lengths. Half and half is the middle of
    :func:`slerp` for codes of one length.

    Args:
        codes: What to mix.
        shares: One for each code, not negative, with a sum of 1 (:func:`zoo.method.shares`).
    """
    weight = torch.tensor(list(shares), dtype=codes.dtype, device=codes.device)[:, None]
    length = (weight * codes.norm(dim=1, keepdim=True)).sum(0, keepdim=True)
    direction = (weight * F.normalize(codes)).sum(0, keepdim=True)
    return length * F.normalize(direction)


def arithmetic(base: Tensor, plus: Tensor, minus: Tensor) -> Tensor:
    """Mean of ``base`` plus mean of ``plus`` less mean of ``minus``, each ``(n, size)``.

    Section 6.3.2 of arXiv:1511.06434: three of each make it stable, single codes do not. The
    result ``(1, size)`` is given the length that codes usually have, for the sum of three has more.
    """
    found = base.mean(0) + plus.mean(0) - minus.mean(0)
    return math.sqrt(found.numel()) * F.normalize(found[None])


def truncated(codes: Tensor, limit: float) -> Tensor:
    """Squeeze standard normal ``codes`` into [-limit, limit].

    Small limits give ordinary results and little variety. Every number keeps its rank: the normal
    distribution becomes the truncated one, so that results move smoothly with the limit.
    """
    inside = torch.special.ndtr(torch.tensor(limit, dtype=torch.float64))
    share = torch.special.ndtr(codes.double())
    squeezed = torch.special.ndtri((1 - inside) + share * (2 * inside - 1))
    return squeezed.clamp(-limit, limit).to(codes.dtype)


def to_text(code: Tensor) -> str:
    """Write ``(size,)`` or ``(1, size)`` as numbers with two decimals and spaces between them."""
    rounded = _hundredths(code.detach().cpu().float()).flatten().tolist()
    return " ".join(f"{value:.2f}".removesuffix("0").removesuffix(".0") for value in rounded)


def from_text(text: str, size: int) -> Tensor:
    """Read ``size`` numbers, with spaces, commas, semicolons or new lines between them.

    Returns:
        ``(1, size)``.

    Raises:
        InputError: They are not ``size`` finite numbers of a sensible size.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not abs(value) <= LIMIT:
            raise InputError(
                "Code: “{word}” is not a number from -{limit} to {limit}. A code is {size} numbers "
                "with spaces between them.",
                word=word[:40],
                limit=f"{LIMIT:g}",
                size=size,
            )
        values.append(value)
    if len(values) != size:
        raise InputError(
            "Code: these are {given} numbers, and a code of this method has {size}.",
            given=len(values),
            size=size,
        )
    return _hundredths(torch.tensor([values], dtype=torch.float32))


def _hundredths(codes: Tensor) -> Tensor:
    # Adding 0 turns -0 into 0, which is written without a sign.
    return codes.double().mul(100).round().div(100).float() + 0.0
