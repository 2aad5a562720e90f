"""How long a visitor waits: first paint with an empty cache, and Stop.

    python -m benchmarks.site [--rounds 5]

Starts the site on this machine and visits it with Debian's Chromium. Run it while nothing else
keeps the machine busy.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright

from benchmarks import machine
from benchmarks.gatys import EXAMPLES
from space.serve import listen

ROOT = Path(__file__).parents[1]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def first_paint(page: Page, address: str) -> float:
    """Seconds to the first content, and until the form can be used, whichever is later."""
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("#gatys-go", state="visible")
    usable = time.perf_counter() - began
    return max(usable, float(page.evaluate(FIRST_PAINT)) / 1000)


def stop(page: Page, address: str) -> float:
    """Seconds from a click on Stop until the page says that the work has stopped."""
    page.goto(f"{address}/?tab=gatys&size=512&steps=2000")
    page.wait_for_selector("body.sz-arrived")
    page.set_input_files("#gatys-content input[type=file]", EXAMPLES / "photos" / "cat.jpg")
    page.wait_for_selector("#gatys-content img")
    page.click("#gatys-go")
    page.wait_for_selector("#gatys-preview img", state="visible", timeout=120_000)
    began = time.perf_counter()
    page.click("#gatys-stop")
    page.wait_for_function("document.querySelector('#gatys-status').innerText.includes('Stopped')")
    return time.perf_counter() - began


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Of each measurement.")
def main(rounds: int) -> None:
    """Measure, print and save."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        began = time.perf_counter()
        site = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), "--data", data],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            if not site.stdout or "http://" not in site.stdout.readline():
                raise RuntimeError("the site did not start")
            started = time.perf_counter() - began
            paints, stops = [], []
            for _ in range(rounds):
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=FLAGS
                )
                paints.append(first_paint(browser.new_page(), address))
                browser.close()
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            stops = [stop(browser.new_page(), address) for _ in range(rounds)]
            browser.close()
        finally:
            site.terminate()
            site.wait()
    results = {
        "start": round(started, 2),
        "first_paint": {"median": statistics.median(paints), "worst": max(paints)},
        "stop": {"median": statistics.median(stops), "worst": max(stops)},
    }
    for name in ("first_paint", "stop"):
        results[name] = {key: round(value, 2) for key, value in results[name].items()}  # type: ignore[attr-defined]
    print(results)
    machine.save("site", results)


if __name__ == "__main__":
    main()
