"""The methods of the zoo, in the order the tabs show them: the simplest first."""

from zoo.errors import UnknownMethodError
from zoo.method import Method
from zoo.methods.adain import AdaIN
from zoo.methods.cartoongan import CartoonGAN
from zoo.methods.cyclegan import CycleGAN
from zoo.methods.dcgan import DCGAN
from zoo.methods.drit import DRIT
from zoo.methods.fast_photo_style import FastPhotoStyle
from zoo.methods.gatys import Gatys
from zoo.methods.johnson import Johnson
from zoo.methods.many_styles import ManyStyles
from zoo.methods.munit import MUNIT
from zoo.methods.style_swap import StyleSwap

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        Johnson,
        ManyStyles,
        AdaIN,
        StyleSwap,
        Gatys,
        FastPhotoStyle,
        CycleGAN,
        MUNIT,
        DRIT,
        CartoonGAN,
        DCGAN,
    )
}


def get_method(name: str) -> type[Method]:
    """Return the class registered as ``name``; raises UnknownMethodError."""
    try:
        return METHODS[name]
    except KeyError:
        raise UnknownMethodError(
            "There is no method “{name}”; there are {known}.", name=name, known=", ".join(METHODS)
        ) from None
