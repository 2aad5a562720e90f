"""A photo from the camera, in a real browser."""

from collections.abc import Callable

import pytest

from tests.space.conftest import Visit

pytestmark = pytest.mark.browser

Visits = Callable[..., Visit]
REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('refused'))"
MISSING = "Object.defineProperty(navigator, 'mediaDevices', {get: () => undefined})"  # plain http


@pytest.mark.parametrize("script", [REFUSED, MISSING], ids=["refused", "missing"])
def test_a_camera_that_is_not_given_is_explained(visit: Visits, script: str) -> None:
    visitor = visit(locale="zh-TW")
    visitor.page.add_init_script(script)
    page = visitor.go().page
    page.click("#gatys-content [data-testid=source-select] button >> nth=1")
    page.click("#gatys-content >> text=點擊以使用相機")
    page.wait_for_selector("#gatys-content >> text=若瀏覽器沒有提供相機，請在網址列允許使用。")
    assert "相機需要 https" in visitor.text("#sz-live")
    assert not page.locator("[data-testid=toast-body]").count()
