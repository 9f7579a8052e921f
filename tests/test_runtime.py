import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gan_utils import runtime
from gan_utils.runtime import keras


@pytest.mark.parametrize("seed", [-1, 2**31, 1.0, True, "0"])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="seed is"):
        runtime.set_seed(seed)


def test_budget_reads_the_environment(monkeypatch):
    monkeypatch.setenv("GAN_BOOK_BUDGET", "smoke")
    assert runtime.budget().pick(smoke=1, cpu=2, gpu=3) == 1 and not runtime.budget().checks_quality
    monkeypatch.setenv("GAN_BOOK_BUDGET", "huge")
    with pytest.raises(ValueError, match="expected smoke, cpu or gpu"):
        runtime.budget()
    monkeypatch.delenv("GAN_BOOK_BUDGET")
    assert runtime.budget().name in ("cpu", "gpu")


def test_strategies():
    from gan_utils.runtime import tf

    assert runtime.strategy("auto").num_replicas_in_sync >= 1
    assert runtime.strategy("cpu").num_replicas_in_sync == 1
    assert isinstance(runtime.strategy(["CPU:0"]), tf.distribute.MirroredStrategy)
    for wrong in ("tpu", 0, 99):
        with pytest.raises(ValueError, match=r"devices is .* expected 'auto', 'cpu'"):
            runtime.strategy(wrong)


def test_import_is_lazy_and_sets_defaults_before_tensorflow():
    code = (
        "import sys, os, gan_utils; assert 'tensorflow' not in sys.modules; "
        "assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '1'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_start_up_is_quiet():
    done = subprocess.run(
        [sys.executable, "-c", "import gan_utils.runtime"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_import_costs_little_over_keras():
    code = (
        "import time; import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; import tensorflow, keras; "
        "start = time.process_time(); import gan_utils; "
        "[getattr(gan_utils, name) for name in ('runtime', 'losses', 'training')]; print(time.process_time() - start)"
    )
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "KERAS_BACKEND": "tensorflow"}
    best = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment).stdout)
        for _ in range(2)
    )
    assert best <= 0.3


def test_the_library_works_without_standard_error():
    code = "from gan_utils import runtime; runtime.set_seed(0); print('fine')"
    command = f'exec "{sys.executable}" -c "{code}" 2>&-'  # closed, as a service may start a program
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == "fine" and done.returncode == 0


@pytest.mark.parametrize("seed", [np.int64(7), np.uint8(7)])
def test_seeds_of_numpy_are_taken(seed):
    runtime.set_seed(seed)
    assert type(runtime.current_seed()) is int and runtime.current_seed() == 7
    runtime.set_seed(0)


def test_networks_are_channels_last_whatever_keras_says():
    from gan_utils.networks import dcgan, dense, encoder_decoder

    keras.config.set_image_data_format("channels_first")
    try:
        made = (dcgan.compact_generator(), dcgan.mnist_generator(), dense.dummy_generator())
        assert {network.output_shape for network in made} == {(None, 28, 28, 1)}
        assert encoder_decoder.generator(2, size=8, widths=(4, 4, 4)).output_shape == (None, 8, 8, 3)
        flat = [layer for layer in dcgan.compact_discriminator().layers if hasattr(layer, "data_format")]
        assert {layer.data_format for layer in flat} == {"channels_last"}
        assert keras.config.image_data_format() == "channels_first"  # the reader's own again
    finally:
        keras.config.set_image_data_format("channels_last")


def test_a_floatx_of_half_precision_is_refused_in_one_line():
    from gan_utils.networks import dcgan

    keras.config.set_floatx("float16")
    try:
        with pytest.raises(ValueError, match=r"floatx is float16; expected float32 or float64.*mixed_float16") as told:
            dcgan.compact_generator()
    finally:
        keras.config.set_floatx("float32")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("settings", [{"image_data_format": "channels_first"}, {"floatx": "float64"}])
def test_the_settings_of_keras_json_do_not_reach_networks_and_features(tmp_path, settings):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "tensorflow", **settings}))
    code = """
import numpy as np
from gan_utils import metrics
from gan_utils.networks import dcgan
x = np.random.default_rng(0).uniform(-1, 1, (80, 28, 28, 1)).astype("f4")
print(dcgan.compact_generator().output_shape, round(metrics.score(x, x[:70], ["frechet"])["frechet"], 3))
"""
    runs = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, text=True)
        for more in ({"KERAS_HOME": str(tmp_path)}, {})
    ]
    assert runs[0].stdout == runs[1].stdout and "(None, 28, 28, 1)" in runs[0].stdout, runs[0].stderr


def test_the_library_loads_without_standard_error():
    code = "from gan_utils import runtime; print(runtime.current_seed())"
    done = subprocess.run(f"{sys.executable} -c '{code}' 2>&-", shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0\n")
