"""Several devices and several processes take the steps that one takes; each run is a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

RUN = """
import sys, json
import numpy as np
from gan_utils import runtime, terms, training
from gan_utils.runtime import keras, tf
from gan_utils.networks import toy
from gan_utils.training import callbacks

devices, out, epochs, steps, folder = json.loads(sys.argv[1])
if isinstance(devices, list):
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
runtime.set_seed(3)
points = np.random.default_rng(0).normal(size=(500, 2)).astype("float32")
with runtime.strategy(devices).scope():
    gan = training.GAN(toy.generator(widths=(16,)), toy.discriminator(widths=(16,)), discriminator_steps=2, ema=0.9,
                       terms=[terms.GradientPenalty(1.0)])
    sgd = keras.optimizers.SGD(0.05, momentum=0.5)  # Adam would hide a wrong scale of the gradient
    gan.compile(discriminator_optimizer=sgd)
resume = [callbacks.Resume(folder, every_seconds=0)] if folder else []
history = gan.fit(points, batch_size=32, steps_per_epoch=steps, epochs=epochs, verbose=0, callbacks=resume).history
weights = np.concatenate([w.ravel() for w in gan.get_weights()] + [gan.generate(5).ravel()])
with open(out, "w") as file:
    json.dump({"history": history, "weights": weights.tolist(), "step": gan.step}, file)
"""

STARTED = []


def start(out, devices="cpu", *, epochs=10, folder=None, task=None, ports=()):
    environment = dict(os.environ)
    if task is not None:
        workers = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        environment["TF_CONFIG"] = json.dumps({"cluster": workers, "task": {"type": "worker", "index": task}})
    arguments = json.dumps([devices, str(out), epochs, 50 // epochs, folder and str(folder)])
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    STARTED.append(process)
    return process


@pytest.fixture(autouse=True)
def nobody_is_left_waiting():
    yield
    while STARTED:
        STARTED.pop().kill()  # a worker whose peer has failed would wait for ever


def result(process, out):
    _, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.read_text())


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The run on one device, in this process: it needs no set-up of its own."""
    out = tmp_path_factory.mktemp("single") / "out.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run", json.dumps(["cpu", str(out), 10, 5, None])])
        exec(RUN, {"__name__": "run"})
    return json.loads(out.read_text())


def assert_equal_runs(found, single):
    assert found["step"] == single["step"] == 50
    for name, values in single["history"].items():
        each = np.reshape(found["history"][name], (len(values), -1)).mean(axis=1)  # of five steps or of one
        assert np.allclose(each, values, atol=1e-4), name
    assert np.allclose(found["weights"], single["weights"], atol=1e-3)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_each_replica_of_each_worker_takes_its_slice_of_each_batch(workers):
    from gan_utils.runtime import tf
    from gan_utils.training import plan as plans

    plan = tf.data.Dataset.range(3).map(lambda step: {"index": 100 * step + tf.range(8, dtype=tf.int64)})
    local = 4 // workers
    taken = []
    for worker in range(workers):
        context = tf.distribute.InputContext(workers, worker, 4)
        part = list(plans.part_of_worker(plan, context).as_numpy_iterator())
        taken.append([[part[step * local + i]["index"].tolist() for i in range(local)] for step in range(3)])
    for step in range(3):
        rows = [row for worker in taken for replica in worker[step] for row in replica]
        assert rows == list(range(100 * step, 100 * step + 8))


def test_two_devices_take_the_steps_of_one(tmp_path, single):
    out = tmp_path / "out.json"
    assert_equal_runs(result(start(out, ["CPU:0", "CPU:1"]), out), single)


def test_two_processes_take_the_steps_of_one(tmp_path, single):
    outs, ports = [tmp_path / "0.json", tmp_path / "1.json"], free_ports(2)
    workers = [start(out, "workers", task=task, ports=ports) for task, out in enumerate(outs)]
    for worker, out in zip(workers, outs, strict=True):
        assert_equal_runs(result(worker, out), single)


def test_a_killed_worker_leaves_a_checkpoint_from_which_both_continue(tmp_path, single):
    outs, run, ports = [tmp_path / "0.json", tmp_path / "1.json"], tmp_path / "run", free_ports(2)
    workers = [start(out, "workers", task=i, ports=ports, folder=run, epochs=50) for i, out in enumerate(outs)]
    deadline = time.monotonic() + 1200
    while len(list(run.glob("step-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    workers[1].send_signal(signal.SIGKILL)
    time.sleep(1.0)
    workers[0].send_signal(signal.SIGKILL)  # it would wait for its peer
    for worker in workers:
        worker.communicate(timeout=600)
    steps = sorted(int(path.stem.split("-")[1]) for path in run.glob("step-*"))
    assert steps and steps[-1] < 50, "killed before its end"
    ports = free_ports(2)
    workers = [start(out, "workers", task=i, ports=ports, folder=run, epochs=50) for i, out in enumerate(outs)]
    for worker, out in zip(workers, outs, strict=True):
        assert_equal_runs(result(worker, out), single)
