"""Draw the README's picture with the recorded network: ``python site/picture.py``.

They are the 25 latents of the DCGAN chapter's grids, not chosen.
"""

from pathlib import Path

import numpy as np

from gan_utils import plotting, studies

ASSETS = Path(__file__).resolve().parent / "assets"


def main() -> None:
    """Write site/assets/samples.png."""
    network, record = studies.network("compact_dcgan")
    latents = np.random.default_rng(0).standard_normal((25, network.input_shape[1]), np.float32)
    images = network.predict(latents, verbose=0)
    figure, _ = plotting.image_grid(
        images, columns=5, title=f"25 latents, none chosen, after {record['steps']:,} steps"
    )
    figure.savefig(ASSETS / "samples.png", dpi=100)


if __name__ == "__main__":
    main()
