"""Time and size: measured only where they can be, and said as people do."""

import json
import os
import sys

import pytest

from mvp_skill import measurements, readme_facts
from mvp_skill.errors import BadInput
from mvp_skill.files import write_json


@pytest.fixture
def outside_an_environment(monkeypatch):
    """So that the size of the one that runs the tests is not measured again and again."""
    monkeypatch.setattr("sys.base_prefix", sys.prefix)


def test_time_and_size_are_said_as_people_do():
    durations = {None: "–", 49.6: "50 s", 89: "89 s", 91: "2 min", 5000: "83 min", 9000: "2.5 h"}
    assert {given: readme_facts.duration(given) for given in durations} == durations
    sizes = {None: "–", 45_400_000: "45 MB", 2_149_000_000: "2.1 GB"}
    assert {given: readme_facts.size(given) for given in sizes} == sizes


def test_a_file_with_two_names_counts_once(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"x" * 1000)
    os.link(tmp_path / "folder" / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(b"x" * 7)
    (tmp_path / "d").symlink_to(tmp_path / "c")
    assert measurements.size_of(tmp_path) == 1007


def test_installation_is_timed_only_where_it_can_be(tmp_path):
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("a-1.dist-info", "b-2.dist-info"):
        (site / name).mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("")
    for path, time in ((tmp_path / "pyvenv.cfg", 1000), (site / "a-1.dist-info", 1010)):
        os.utime(path, (time, time))
    os.utime(site / "b-2.dist-info", (1180, 1180))
    assert measurements.install_seconds(tmp_path) == 180
    os.utime(tmp_path / "pyvenv.cfg", (1100, 1100))
    assert measurements.install_seconds(tmp_path) is None


def test_a_batch_is_timed_only_if_it_did_everything(tmp_path, outside_an_environment):
    runs = [{"label": "a", "status": "done"}, {"label": "b", "status": "done"}]
    write_json(tmp_path / "summary.json", {"seconds": 240.5, "runs": runs})
    found = measurements.measured(tmp_path)
    assert (found["batch_seconds"], found["batch_runs"]) == (240.5, 2)
    assert found["results_bytes"] == (tmp_path / "summary.json").stat().st_size
    runs[0]["status"] = "finished before"
    write_json(tmp_path / "summary.json", {"seconds": 2.5, "runs": runs})
    assert "batch_seconds" not in measurements.measured(tmp_path)


def test_pytest_reports_are_read(tmp_path, outside_an_environment):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="812" time="301.5"/></testsuites>')
    found = measurements.measured(tests=report)
    assert (found["n_tests"], found["test_seconds"]) == (812, 301.5)
    report.write_text(json.dumps({}))
    with pytest.raises(BadInput, match="is no report of pytest"):
        measurements.measured(tests=report)
