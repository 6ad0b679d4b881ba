"""Models in forked processes: PyTorch's threads do not survive a fork, and the child must not wait for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")

SECONDS = 90
PROGRAM = """
import multiprocessing, os, sys
import numpy as np, pandas as pd, torch
from recsys_ae import FeatureEncoder, Features, Interactions, Recommender, Run
from recsys_ae.features.models import Denoising
from recsys_ae.models import EASE, MultVAE
from recsys_ae.nn.threads import cpu_threads

torch.set_num_threads(2)
rng = np.random.default_rng(0)
frame = pd.DataFrame({"user": rng.integers(0, 400, 20_000), "item": rng.integers(0, 300, 20_000)})
data = Interactions.from_frame(frame, duplicates="last")
torch.rand(1_000_000).exp().sum()  # two threads have worked in the parent

def ease():
    return Recommender(EASE()).fit(data)

def vae(threads=None):
    return Recommender(MultVAE(latent=8, hidden=(64,), epochs=1)).fit(data, run=Run(threads=threads))

def works(use):
    torch.rand(1_000_000).exp().sum()
    use()
    return True

def forked(use):
    child = os.fork()
    if child == 0:
        os._exit(0 if works(use) else 1)
    assert os.waitpid(child, 0)[1] == 0

def pooled(use):
    with multiprocessing.get_context("fork").Pool(1, initializer=used.append, initargs=(use,)) as pool:
        assert pool.map(call, [0, 1]) == [True, True]

used = []

def call(_):
    return works(used[0])
"""
LISTS = "model = ease()\nuse = lambda: model.recommend(data.matrix, 3)\n"
VARIANTS = {
    "lists of a closed form": f"{LISTS}forked(use)",
    "a pool": f"{LISTS}pooled(use)",
    "a fork of a fork": f"{LISTS}forked(lambda: forked(use))",
    "a second fork": f"{LISTS}forked(use)\nforked(use)",
    "a network": "model = vae()\nforked(lambda: model.recommend(data.matrix, 3))",
    "a fit in the child": "ease()\nforked(ease)\npooled(vae)",
    "a fit with two threads in the child": "vae(2)\nforked(lambda: vae(2))",
    "a fork inside of a context": (
        "def leave():\n"
        "    with cpu_threads(1):\n"
        "        child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if works(ease) else 1)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "leave()"
    ),
    "an encoder": (
        "features = Features.from_frame(pd.DataFrame(rng.normal(size=(5000, 40))).reset_index(names='item'))\n"
        "encoder = FeatureEncoder(Denoising(latent=8, epochs=1)).fit(features)\n"
        "forked(lambda: encoder.encode(features))\npooled(lambda: encoder.encode(features))"
    ),
}


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a new process, with as many threads as it sets; a hang fails the test."""
    settings = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=settings,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"no answer within {SECONDS} s")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
    return subprocess.CompletedProcess(code, process.returncode, out, err)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_forked_process_goes_on_after_its_parent_has_used_two_threads(variant: str, tmp_path: Path) -> None:
    ended = run(f"{PROGRAM}\n{VARIANTS[variant]}\nprint('done')", tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "done\n"


def test_a_forked_process_says_that_it_computed_with_one_thread(tmp_path: Path) -> None:
    say = "forked(lambda: print(vae(2).metadata['threads'], flush=True))\nprint(vae(2).metadata['threads'])"
    ended = run(f"{PROGRAM}\n{say}", tmp_path)
    assert (ended.stdout, ended.returncode) == ("1\n2\n", 0), ended.stderr


@pytest.mark.parametrize("module", ["recommender.recommender", "features.encoder", "recommender.blending"])
def test_whoever_can_use_a_model_has_the_guard(module: str, tmp_path: Path) -> None:
    code = f"import sys, recsys_ae.{module}\nprint('recsys_ae.nn.threads' in sys.modules)"
    assert run(code, tmp_path).stdout == "True\n"


def test_importing_changes_nothing_in_the_process_itself(tmp_path: Path) -> None:
    code = "import torch; torch.set_num_threads(2); import recsys_ae.nn.runtime; print(torch.get_num_threads())"
    assert run(code, tmp_path).stdout == "2\n"


def test_where_processes_are_not_forked_the_module_can_be_imported(tmp_path: Path) -> None:
    code = "import os, torch; del os.register_at_fork\nimport recsys_ae.nn.threads as t; print(t.usable_threads(3))"
    assert run(code, tmp_path).stdout == "3\n"
