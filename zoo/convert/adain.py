"""naoto0804/pytorch-AdaIN: ``decoder.pth`` with ``vgg_normalised.pth`` beside it."""

from zoo.convert.released import Format, KeyMap, Released
from zoo.convert.vgg import fold_first
from zoo.methods.adain import AdaIN, AdaINConfig

# Places of the convolutions between paddings, activations and resizes.
DECODER = {
    "conv4_1": 1,
    "conv3_4": 5,
    "conv3_3": 8,
    "conv3_2": 11,
    "conv3_1": 14,
    "conv2_2": 18,
    "conv2_1": 21,
    "conv1_2": 25,
    "conv1_1": 28,
}
ENCODER = {
    "1_1": 2,
    "1_2": 5,
    "2_1": 9,
    "2_2": 12,
    "3_1": 16,
    "3_2": 19,
    "3_3": 22,
    "3_4": 25,
    "4_1": 29,
}
DEEPER = r"(3[2-9]|4\d|5\d)\.(weight|bias)"  # than relu4_1


def convert(decoder: Released, encoder: Released | None) -> AdaIN:
    """AdaIN with the encoder that the decoder was trained for."""
    assert encoder is not None  # noqa: S101 the format says that it is needed
    method = AdaIN(AdaINConfig(own_encoder=True))
    found = KeyMap()
    for ours, theirs in DECODER.items():
        found.layer(f"decoder.{ours}", str(theirs))
    found.fill(method, decoder)
    found = KeyMap()
    for ours, place in ENCODER.items():
        found.layer(f"encoder.convs.{ours}", str(place))
    assert method.encoder is not None  # noqa: S101 asked for above
    fold_first(method.encoder, encoder, "0", found)
    found.fill(method, encoder, rf"0\.(weight|bias)|{DEEPER}")
    return method


FORMAT = Format(
    source="naoto0804/pytorch-AdaIN",
    license="mit",
    terms="The original has the MIT licence.",
    convert=convert,
    second="the encoder, vgg_normalised.pth",
    needs_second=True,
)
