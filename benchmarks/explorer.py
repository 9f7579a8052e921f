"""Networks in the page: ``python benchmarks/explorer.py`` (half a minute), milliseconds of a pass in Chromium.

Each network runs in the page's own JavaScript, one sample at a time, as an `Explorer` runs it. A pass begins with the
inputs and ends with the outputs; drawing them is not in it. The median of 20 passes after 5 that warm up is recorded,
with the multiplications of dense layers and convolutions.
"""

import argparse
import base64
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import common
import numpy as np

from gan_utils.networks import dcgan
from gan_utils.runtime import keras
from gan_utils.widgets import browser, graph

RECORD = common.RESULTS / "explorer.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PASSES, WARM = 20, 5
RUN = """async ([code, graph, held, sizes, passes]) => {
  const { halves, network } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const run = network(graph, halves(Uint8Array.from(atob(held), (c) => c.charCodeAt(0))));
  const times = [];
  for (let k = 0; k < passes; k++) {
    const given = sizes.map((size) => Float32Array.from({ length: size }, () => 2 * Math.random() - 1));
    const start = performance.now();
    run(given);
    times.push(performance.now() - start);
  }
  return times;
}"""


def unet(size: int = 64, widths: tuple[int, ...] = (24, 48, 72, 96)) -> keras.Model:
    """Return a U-Net from a picture to a picture, of the size that a page of the book can show."""
    layers = keras.layers
    x = start = keras.Input((size, size, 3))
    kept = []
    for width in widths:
        x = layers.BatchNormalization()(layers.Conv2D(width, 4, strides=2, padding="same")(x))
        x = layers.LeakyReLU(0.2)(x)
        kept.append(x)
    for width, skip in zip(widths[-2::-1], kept[-2::-1], strict=True):
        x = layers.BatchNormalization()(layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x))
        x = layers.Concatenate()([layers.ReLU()(x), skip])
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(start, x, name="unet")


NETWORKS = {
    "compact DCGAN": dcgan.compact_generator,
    "MNIST DCGAN": dcgan.mnist_generator,
    "U-Net, 64 × 64": unet,
}


def measure(page: Any, network: keras.Model) -> dict[str, Any]:
    """Return what a network needs in an open page."""
    found = graph.export(network)
    told = {"inputs": found.inputs, "steps": found.steps, "outputs": found.outputs}
    held = base64.b64encode(found.weights.astype("<f2").tobytes()).decode()
    sizes = [int(np.prod(each["shape"])) for each in found.inputs]
    times = page.evaluate(RUN, [browser.module("halves", "graph"), told, held, sizes, WARM + PASSES])[WARM:]
    return {
        "multiplications": graph.multiplications(found),
        "parameters": network.count_params(),
        "milliseconds": {"median": round(statistics.median(times), 1), "all": [round(each, 1) for each in times]},
    }


def main() -> None:
    """Measure, print and keep the record."""
    from playwright import sync_api

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, default=RECORD, help="where to write the record")
    arguments = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit("no browser: install Debian's chromium.")
    rows = {}
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        version = running.version
        for name, make in NETWORKS.items():
            keras.utils.set_random_seed(0)
            rows[name] = measure(running.new_page(), make())
        running.close()
    what = "milliseconds of a pass of a network in the page, one sample, Chromium; median of 20"
    record = {"what": what, **common.environment("tensorflow", "keras"), "browser": version, "networks": rows}
    common.write(arguments.record, record)
    for name, row in rows.items():
        millions = row["multiplications"] / 1e6
        print(f"{name:<18}{millions:>7.1f} million multiplications{row['milliseconds']['median']:>8} ms")


if __name__ == "__main__":
    main()
