"""Colour preservation against its definition."""

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from zoo import color


def colored(seed: int, height: int = 24, width: int = 31) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.rand(3, 3, generator=generator) @ torch.rand(
        3, height * width, generator=generator
    )
    return (0.2 + 0.2 * mixed).view(1, 3, height, width)


def statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flat = images.flatten(2)[0].double()
    return flat.mean(1), torch.cov(flat, correction=0)


def test_match_color_gives_mean_and_covariance_of_the_reference() -> None:
    image, reference = colored(0), colored(1, 40, 20)
    mean, covariance = statistics(color.match_color(image, reference))
    wanted_mean, wanted_covariance = statistics(reference)
    assert torch.allclose(mean, wanted_mean, atol=1e-6)
    assert torch.allclose(covariance, wanted_covariance, rtol=1e-3, atol=1e-7)


class Float64(TorchDispatchMode):
    """Notes on which devices there are tensors in float64."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.devices: set[str] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple) else (made,):
            if isinstance(one, torch.Tensor) and one.dtype == torch.float64:
                self.devices.add(one.device.type)
        return made


def test_match_color_needs_float64_on_the_cpu_only() -> None:
    """Apple's GPUs have none. Here is neither, so a pretended GPU takes the pictures."""
    with FakeTensorMode(), Float64() as float64:
        image = torch.empty(1, 3, 8, 9, device="cuda")
        made = color.match_color(image, torch.empty(1, 3, 5, 4, device="cuda"))
    assert float64.devices == {"cpu"}
    assert (made.device, made.dtype, made.shape) == (image.device, image.dtype, image.shape)


def test_match_color_of_a_picture_with_itself_changes_nothing() -> None:
    image = colored(2)
    assert torch.allclose(color.match_color(image, image), image, atol=1e-5)


def test_match_color_survives_a_single_color() -> None:
    flat = torch.full((1, 3, 20, 20), 0.5)
    assert torch.isfinite(color.match_color(flat, colored(3))).all()
    assert torch.isfinite(color.match_color(colored(3), flat)).all()


def test_recolor_keeps_chroma_and_takes_luma() -> None:
    content, result = colored(4), colored(5)
    made = color.recolor(result, content)
    inside = ((made > 0) & (made < 1)).all(1, keepdim=True)
    assert inside.float().mean() > 0.5
    luma = color.luminance(made) - color.luminance(result)
    assert luma[inside].abs().max() < 1e-6
    chroma = (made[:, :1] - made[:, 2:]) - (content[:, :1] - content[:, 2:])
    assert chroma[inside].abs().max() < 1e-6


def test_match_luminance_is_grey_with_the_statistics_of_the_reference() -> None:
    grey = color.match_luminance(colored(6), colored(7))
    luma = color.luminance(colored(7))
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert torch.allclose(grey.mean(), luma.mean(), atol=1e-6)
    assert torch.allclose(grey[:, 0].std(correction=0), luma.std(correction=0), rtol=1e-5)


def test_modes_change_what_they_say() -> None:
    content, style = colored(8), colored(9)
    seen, (prepared,) = color.before(content, [style], "style")
    assert seen is content
    assert prepared is style
    _, (prepared,) = color.before(content, [style], "match")
    assert not torch.allclose(prepared, style)
    seen, (prepared,) = color.before(content, [style], "luminance")
    assert torch.equal(seen[:, 0], seen[:, 1])
    assert torch.equal(prepared[:, 0], prepared[:, 1])


def test_style_less_methods_are_matched_afterwards() -> None:
    content, result = colored(10), torch.cat([colored(11), colored(12)])
    made = color.after(result, content, "match", styled=False)
    for one in made:
        assert torch.allclose(statistics(one[None])[0], statistics(content)[0], atol=1e-3)
    assert color.after(result, content, "match", styled=True) is result
    assert color.after(result, content, "style", styled=False) is result
