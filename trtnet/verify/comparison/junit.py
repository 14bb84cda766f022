"""A comparison as JUnit's XML, which servers of continuous integration show: a test case an output."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from trtnet.support.text.printing import visible
from trtnet.verify.comparison.result import ComparisonResult, OutputComparison


def junit(found: ComparisonResult) -> str:
    """One suite, with a case for each output of each candidate; a failure says why, and how far off it is."""
    failed = sum(not each.passed for each in found.outputs)
    counts = {"tests": str(len(found.outputs)), "failures": str(failed), "errors": "0", "skipped": "0"}
    top = ET.Element("testsuites", counts)
    suite = ET.SubElement(top, "testsuite", {"name": visible(f"against {found.expected}"), **counts})
    for each in found.outputs:
        _case(suite, each)
    if found.notes:
        ET.SubElement(suite, "system-out").text = visible("\n".join(found.notes))
    ET.indent(top)
    return ET.tostring(top, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, found: OutputComparison) -> None:
    name = found.output if found.output == found.expected_output else f"{found.output} ({found.expected_output})"
    case = ET.SubElement(suite, "testcase", {"classname": visible(found.candidate), "name": visible(name)})
    said = visible("\n".join(found.lines()))
    if found.passed:
        ET.SubElement(case, "system-out").text = said
    else:
        ET.SubElement(case, "failure", {"message": visible("; ".join(found.failures))}).text = said
