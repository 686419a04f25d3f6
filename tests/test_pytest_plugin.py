"""The pytest plugin, as a user's own test run sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_drill import TEXT


@pytest.fixture
def users(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's repository with an estate of its own."""
    folder = pytester.path / "fixtures"
    folder.mkdir()
    (folder / "mine.yaml").write_text(TEXT)
    return pytester


def run(users: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    users.makepyfile(test)
    return users.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def test_a_drill_that_passes(users: pytest.Pytester) -> None:
    result = run(
        users,
        """
        def test_account(drill):
            report = drill.run("account_loss", estate="mine", records=30)
            report.assert_within("people", rto_seconds=8 * 3600, rpo_seconds=60)
            assert report.verdict == "pass"
            assert report.cell("people").path == "dynamodb_stream_copy"
            assert (report.folder / "report.html").exists()
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_drill_that_fails_fails_the_test_with_the_matrix_and_the_findings(users: pytest.Pytester) -> None:
    estate = users.path / "fixtures" / "mine.yaml"
    estate.write_text(TEXT.replace("rto: 8h", "rto: 10s"))
    result = run(
        users,
        """
        import pytest

        @pytest.mark.drill(estate="mine", records=30, seed=4)
        def test_account(drill):
            drill.run("account_loss")
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*account_loss*", "*people *fail*", "*rto of people: expected*within 10s*", "*report: *report.html*"]
    )


def test_a_failed_report_can_be_looked_at(users: pytest.Pytester) -> None:
    estate = users.path / "fixtures" / "mine.yaml"
    estate.write_text(TEXT.replace("rto: 8h", "rto: 10s"))
    result = run(
        users,
        """
        import pytest
        from drills.pytest_plugin import DrillFailed

        def test_account(drill):
            report = drill.run("account_loss", estate="mine", records=30, must_pass=False)
            assert report.verdict == "fail"
            with pytest.raises(DrillFailed, match="rto_seconds is .*, expected at most 10"):
                report.assert_within("people", rto_seconds=10)
            with pytest.raises(LookupError, match="account_loss × people"):
                report.cell("peoples")
        """,
    )
    result.assert_outcomes(passed=1)


def test_an_argument_that_the_marker_does_not_have(users: pytest.Pytester) -> None:
    result = run(
        users,
        """
        import pytest

        @pytest.mark.drill(estat="mine")
        def test_account(drill):
            pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*has no argument 'estat'; it takes estate, stores, paths, seed, records*"])


def test_where_drills_run_can_be_said(users: pytest.Pytester) -> None:
    result = run(users, "def test_account(drill): drill.run('account_loss')", "--drill-on", "nowhere.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*nowhere.yaml*"])


def test_the_simulated_aws_as_a_fixture(users: pytest.Pytester) -> None:
    result = run(
        users,
        """
        import boto3

        def test_buckets(simulated_aws):
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="mine")
            simulated_aws.clock.sleep(60)
            assert [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]] == ["mine"]
        """,
    )
    result.assert_outcomes(passed=1)


def test_pytest_starts_without_importing_what_costs(tmp_path: Path) -> None:
    script = (
        "import sys, pytest\n"
        "pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', '-p', 'no:faker', '.'])\n"
        "heavy = {'boto3', 'botocore', 'moto', 'faker', 'pydantic', 'jinja2', 'rich', 'orjson', 'drills.engine'}\n"
        "assert 'drills.pytest_plugin' in sys.modules\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
