"""The Kubernetes manifests are what the API takes, the systemd unit what systemd takes; both set what is a setting."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.settings import Settings
from tests.house.tree import CHECKOUT

FOLDER = CHECKOUT / "deploy/kubernetes"
UNIT = CHECKOUT / "deploy/systemd/callgate.service"
# The oldest release whose pods may sleep before they end, and the newest whose schemas are here.
RELEASES = ("1.30.0", "1.37.0")
SETTINGS = {f"CALLGATE_{name.upper()}" for name in Settings.model_fields}


def manifests() -> list[dict[str, Any]]:
    kept = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert set(kept) == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    return [found for name in kept for found in yaml.safe_load_all((FOLDER / name).read_text())]


def named(kind: str) -> dict[str, Any]:
    return next(each for each in manifests() if each["kind"] == kind)


@pytest.mark.parametrize("release", RELEASES)
def test_every_manifest_is_valid_by_the_schemas_of_the_api(release: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, release, strict=True)


def test_a_manifest_with_a_misspelt_field_would_not_pass() -> None:
    broken = named("PodDisruptionBudget")
    broken["spec"]["maxUnavailble"] = broken["spec"].pop("maxUnavailable")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, RELEASES[0], strict=True)


def test_replicas_are_probed_and_never_all_away_at_once() -> None:
    deployment, budget = named("Deployment")["spec"], named("PodDisruptionBudget")["spec"]
    pod = deployment["template"]
    (container,) = pod["spec"]["containers"]
    paths = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert budget["selector"] == deployment["selector"]
    assert deployment["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert named("Service")["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert (
        not deployment["selector"]["matchLabels"].items()
        <= named("Job")["spec"]["template"]["metadata"]["labels"].items()
    )
    assert deployment["replicas"] > budget["maxUnavailable"]
    assert named("Job")["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]


def test_what_is_set_is_a_setting() -> None:
    (container,) = named("Deployment")["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in container["env"]} <= SETTINGS
    assert set(re.findall(r"\bCALLGATE_[A-Z_]+", UNIT.read_text())) <= SETTINGS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With a program that is there in the place of the installed one."""
    program = re.search(r"^ExecStart=(\S+)", UNIT.read_text(), re.MULTILINE)
    assert program is not None
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(program[1], sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert told == []
    assert done.returncode == 0, done.stderr
