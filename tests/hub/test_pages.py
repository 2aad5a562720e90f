import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from huggingface_hub import HfApi
from PIL import Image
from playwright.sync_api import Browser

from tests.hub.serving import Serving, serving
from zoo import card
from zoo.hub.client import HubClient

TOKEN = "token-of-ada"
NASTY = """

# Mine

<script>alert(1)</script> <img src=x onerror=alert(1)> <b style="position:fixed">bold</b>
<a href="javascript:alert(1)">press</a> <iframe src="/"></iframe> <form><input name=q></form>

[recipe](recipe.json) [up](../../ada/secret) [out](https://example.org/x)
![beacon](https://example.org/beacon.png) ![sample](samples/one.png "one")

| a | b |
| - | - |
| 1 | 2 |
"""


def picture() -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A hub with a checkpoint in two versions, a hostile card, and a private repository."""
    folder = tmp_path_factory.mktemp("checkpoint")
    with serving(tmp_path_factory.mktemp("hub")) as app:
        app.hub.create_token("ada", "test", value=TOKEN)
        client = HubClient(app.url, folder, TOKEN)
        (folder / "samples").mkdir()
        (folder / "samples/one.png").write_bytes(picture())
        (folder / "config.json").write_text('{"method": "<adain>"}')
        (folder / "model.safetensors").write_bytes(b"w" * 2_500_000)
        facts = card.CardFacts(
            repo_id="ada/waves",
            method="adain",
            title="AdaIN",
            summary="Paints <waves>.",
            samples=("samples/one.png",),
            metrics=(card.Metric(name="Style loss", value=0.25),),
        )
        (folder / "README.md").write_text(card.render(facts))
        first = client.push(folder, "ada/waves", message="First & <best>")
        api = HfApi(app.url, token=TOKEN)
        api.create_branch("ada/waves", branch="exp/one", revision=first)
        (folder / "config.json").write_text('{"method": "second"}')
        client.push(folder, "ada/waves", message="Second")
        client.push(folder, "ada/secret", private=True)
        (folder / "README.md").write_text(card.render(facts) + NASTY)
        client.push(folder, "ada/nasty")
        for index in range(26):
            app.hub.create_repo(f"bob/model-{index:02}")
        yield app


def get(server: Serving, path: str, status: int = 200, **headers: str) -> str:
    answer = httpx2.get(server.url + path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def models(html: str) -> list[str]:
    found = re.findall(r'<h2><a href="/([^"]+)"', html)
    return [str(name) for name in found]


def test_models_are_listed_searched_and_filtered(server: Serving) -> None:
    first, second = get(server, "/"), get(server, "/?p=1")
    assert len(models(first)) == 24
    everything = models(first) + models(second)
    assert len(everything) == len(set(everything)) == 28
    assert "ada/secret" not in everything
    assert 'href="/?p=1"' in first
    assert models(get(server, "/?search=paints+WAVES")) == models(get(server, "/?filter=adain"))
    assert sorted(models(get(server, "/?filter=adain"))) == ["ada/nasty", "ada/waves"]
    assert models(get(server, "/?search=nasty&filter=license%3Aapache-2.0")) == ["ada/nasty"]
    assert "Nothing fits" in get(server, "/?search=zebra")
    assert "Paints &lt;waves&gt;." in first + second


def test_a_card_shows_files_revisions_and_ways_to_download(server: Serving) -> None:
    html = get(server, "/ada/waves")
    info = HfApi(server.url, token=False).model_info("ada/waves", files_metadata=True)
    for sibling in info.siblings or ():
        digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        assert f"<code>{digest}</code>" in html
        assert f"/ada/waves/blob/main/{sibling.rfilename}" in html
    assert "2.5 MB" in html
    assert f"export HF_ENDPOINT={server.url}\nhf download ada/waves" in html
    assert f"endpoint=&#34;{server.url}&#34;" in html
    assert f"git clone {server.url}/ada/waves" in html
    assert "python -m zoo pull ada/waves" in html
    assert 'href="/ada/waves/tree/exp%2Fone"' in html
    assert "<td>Style loss</td>" in html
    source = f"/ada/waves/resolve/{info.sha}/samples/one.png"
    assert f'src="{source}"' in html
    assert httpx2.get(server.url + source).content == picture()


def test_a_hostile_card_is_harmless(server: Serving) -> None:
    html = get(server, "/ada/nasty").split("<article", 1)[1].split("</article>")[0]
    for bad in ("<script", "onerror", "style=", "javascript:", "<iframe", "<form", "<input"):
        assert bad not in html
    assert "beacon.png" not in html
    assert re.search(r'href="/ada/nasty/blob/[0-9a-f]{40}/recipe.json"', html)
    assert re.search(r'href="/ada/nasty/blob/[0-9a-f]{40}/ada/secret"', html)
    assert 'href="https://example.org/x" rel="noopener noreferrer nofollow"' in html
    assert "<h1" not in html
    assert "style_zoo" not in html


def test_pages_allow_the_browser_nothing_but_this_hub(server: Serving) -> None:
    for path in ("/", "/ada/waves", "/ada/nothing"):
        policy = httpx2.get(server.url + path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "'unsafe-inline'" not in policy


def test_folders_files_and_history(server: Serving) -> None:
    html = get(server, "/ada/waves/tree/main")
    assert 'href="/ada/waves/tree/main/samples"' in html
    assert "one.png" not in html
    assert "one.png" in get(server, "/ada/waves/tree/main/samples")
    assert "{&#34;method&#34;: &#34;second&#34;}" in get(server, "/ada/waves/blob/main/config.json")
    for revision in ("exp%2Fone", "exp/one"):
        assert "&lt;adain&gt;" in get(server, f"/ada/waves/blob/{revision}/config.json")
        assert "First &amp; &lt;best&gt;" in get(server, f"/ada/waves/tree/{revision}")
    assert "not shown here" in get(server, "/ada/waves/blob/main/model.safetensors")
    assert "<img" in get(server, "/ada/waves/blob/main/samples/one.png").split("<main")[1]
    assert "Paints &lt;waves&gt;." in get(server, "/ada/waves/blob/main/README.md")
    html = get(server, "/ada/waves/commits/main")
    assert html.index("Second") < html.index("First &amp;") < html.index("initial commit")
    commit = re.findall(r"<code>([0-9a-f]{40})</code>", html)[0]
    answer = httpx2.get(f"{server.url}/ada/waves/commit/{commit}", follow_redirects=True)
    assert answer.url.path == f"/ada/waves/tree/{commit}"
    assert "Second" in answer.text


def test_what_is_not_there_is_a_page_too(server: Serving) -> None:
    get(server, "/ada/waves/tree/v9", 404)
    get(server, "/ada/waves/tree/main/nothing", 404)
    get(server, "/ada/waves/blob/main/samples", 404)
    get(server, "/?p=x", 400)


def test_a_private_repository_looks_like_none(server: Serving) -> None:
    for rest in ("", "/tree/main", "/blob/main/config.json", "/commits/main"):
        secret = get(server, f"/ada/secret{rest}", 404)
        assert secret == get(server, f"/ada/nothing{rest}", 404)
        assert "ada/secret" in get(server, f"/ada/secret{rest}", Authorization=f"Bearer {TOKEN}")
    assert "ada/secret" in models(get(server, "/?search=secret", Authorization=f"Bearer {TOKEN}"))


def test_gated_files_and_closed_hubs_are_for_members(tmp_path: Path) -> None:
    with serving(tmp_path / "hub", closed=True) as app:
        app.hub.create_token("ada", "test", value=TOKEN)
        app.hub.create_token("bob", "test", value="token-of-bob")
        api = HfApi(app.url, token=TOKEN)
        api.create_repo("ada/gated")
        api.update_repo_settings("ada/gated", gated="auto")
        assert "to members only" in get(app, "/")
        get(app, "/ada/gated", 404)
        assert models(get(app, "/", Authorization="Bearer token-of-bob")) == ["ada/gated"]
        get(app, "/ada/gated", 403, Authorization="Bearer token-of-bob")
        get(app, "/ada/gated", Authorization=f"Bearer {TOKEN}")


def test_pages_and_the_client_work_under_a_prefix(tmp_path: Path) -> None:
    with serving(tmp_path / "site", prefix="/my-hub") as app:
        token = app.hub.create_token("ada", "test")
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "one.png").write_bytes(picture())
        client = HubClient(app.url, tmp_path / "cache", token)
        client.push(folder, "ada/x")
        assert client.snapshot("ada/x")[0].joinpath("one.png").read_bytes() == picture()
        html = get(app, "/") + get(app, "/ada/x") + get(app, "/ada/x/tree/main")
        local = set(re.findall(r'(?:href|src)="(/[^"]*)"', html))
        assert len(local) > 8
        for address in local:
            assert address.startswith("/my-hub/")
            host = app.url.removesuffix("/my-hub")
            assert httpx2.get(host + address).status_code == 200, address


def test_pages_work_behind_a_proxy_that_takes_the_prefix_off(tmp_path: Path) -> None:
    with serving(tmp_path / "hub", public_url="http://zoo.example/models/") as app:
        app.hub.create_repo("ada/x")
        html = get(app, "/") + get(app, "/ada/x") + get(app, "/ada/x/tree/main")
    local = re.findall(r'(?:href|src|action)="(/[^"]*)"', html)
    assert local
    assert all(address.startswith("/models/") for address in local)
    assert "HF_ENDPOINT=http://zoo.example/models\n" in html


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_are_accessible_and_fit(
    server: Serving, chromium: Browser, width: int, scheme: str
) -> None:
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
    page = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    paths = ("", "?filter=adain&search=waves", "ada/waves", "ada/nasty", "ada/waves/tree/main")
    for path in (*paths, "ada/waves/blob/main/config.json", "ada/waves/commits/main", "no/thing"):
        page.goto(f"{server.url}/{path}")
        found = Axe().run(page, options=options)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.close()
    # The browser itself tells of the page that is not there.
    assert [c for c in complaints if "404" not in c] == []
