"""Clients of AWS that nobody here wrote and that make and delete an estate: each says why it cannot run here."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

HERE = Path(__file__).parent
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-west-1"}


class Infrastructure(Protocol):
    """Makes the stores of the estate beside this file, and deletes them."""

    def make(self) -> str:
        """Make what is not there yet; returns what the client said."""
        ...

    def delete(self) -> None: ...


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTHON"))}
    return {**kept, **KEYS, **more}


def _ran(command: list[str], folder: Path, more: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=_environment(more), capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{' '.join(command[:2])} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


class Ansible:
    """Ansible with the collections amazon.aws and community.aws; DRILLS_ANSIBLE names ansible-playbook."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        command = os.environ.get("DRILLS_ANSIBLE")
        if not command:
            pytest.skip("Ansible is not installed here: DRILLS_ANSIBLE names no ansible-playbook (see CONTRIBUTING)")
        self._command = shlex.split(command)
        self._folder, self._endpoint = folder, endpoint

    def make(self) -> str:
        return self._play("present")

    def delete(self) -> None:
        self._play("absent")

    def _play(self, estate: str) -> str:
        python = Path(self._command[0]).parent / "python"
        variables = f"endpoint={self._endpoint} estate={estate} ansible_python_interpreter={python}"
        playbook = [str(HERE / "estate.yml"), "--extra-vars", variables]
        home = {
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "LC_ALL": "C.UTF-8",
        }
        return _ran([*self._command, *playbook], self._folder, home)


class Terraform:
    """Terraform with its AWS provider, from wherever this machine's configuration of Terraform gets providers."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        if shutil.which("terraform") is None:
            pytest.skip("Terraform is not on PATH")
        self._folder, self._endpoint = folder, endpoint
        shutil.copy(HERE / "main.tf", folder / "main.tf")
        try:
            done = subprocess.run(
                ["terraform", "init", "-input=false", "-no-color"],
                cwd=folder,
                env=_environment({}),
                capture_output=True,
                text=True,
                check=False,
                timeout=180,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("Terraform got no answer in 180 s about its AWS provider")
        if done.returncode != 0:
            why = " ".join(done.stderr.split())
            pytest.skip(f"Terraform's AWS provider cannot be had here: {why[:500]}")

    def make(self) -> str:
        return self._run("apply")

    def delete(self) -> None:
        self._run("destroy")

    def _run(self, what: str) -> str:
        asked = ["-auto-approve", "-input=false", "-no-color", f"-var=endpoint={self._endpoint}"]
        return _ran(["terraform", what, *asked], self._folder, {})


CLIENTS: Mapping[str, Callable[[Path, str], Infrastructure]] = {"ansible": Ansible, "terraform": Terraform}
UNCHANGED = {"ansible": "changed=0", "terraform": "0 added, 0 changed, 0 destroyed"}
"""What each says when it was asked to make what is there already."""
