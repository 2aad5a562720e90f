"""Feature statistics against naive loops."""

import pytest
import torch

from zoo.nn.stats import gram, mean_std


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gram_and_its_gradient_equal_a_naive_loop(layout: torch.memory_format) -> None:
    features = torch.randn(2, 5, 6, 7).contiguous(memory_format=layout).requires_grad_()
    naive = torch.stack(
        [
            torch.stack(
                [torch.stack([(one[i] * one[j]).sum() / 42 for j in range(5)]) for i in range(5)]
            )
            for one in features
        ]
    )
    assert torch.allclose(gram(features), naive, atol=1e-6)
    weights = torch.randn(2, 5, 5)
    (found,) = torch.autograd.grad((gram(features) * weights).sum(), features)
    (wanted,) = torch.autograd.grad((naive * weights).sum(), features)
    assert torch.allclose(found, wanted, atol=1e-6)


def test_gram_is_float32_whatever_the_features_are() -> None:
    assert gram(torch.randn(1, 3, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_mean_std() -> None:
    features = torch.randn(2, 3, 5, 4)
    mean, deviation = mean_std(features)
    assert mean.shape == deviation.shape == (2, 3, 1, 1)
    one = features[1, 2].flatten().tolist()
    average = sum(one) / 20
    variance = sum((x - average) ** 2 for x in one) / 20
    assert float(mean[1, 2]) == pytest.approx(average, rel=1e-4, abs=1e-6)
    assert float(deviation[1, 2]) == pytest.approx((variance + 1e-5) ** 0.5, rel=1e-4)
