import os
import subprocess
import sys

import pytest

from gan_utils import runtime


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
