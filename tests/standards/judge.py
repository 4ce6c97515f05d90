"""Holds exports of the audit log against the standards, with tools that others keep.

    judge.py FOLDER

FOLDER holds atna-xml.xml, atna-xml-early.xml and balp.ndjson. The messages are validated by lxml against
ps3.15-a5.rnc; the early spelling is the same schema with the two attributes under their names of RFC 3881,
of which displayName is optional there. AuditEvents are read by fhir.resources (R4B, whose AuditEvent is that
of R4), and held against what IHE BALP's profiles ask of the pattern that they claim.
"""

import sys
from pathlib import Path

import rnc2rng
from fhir.resources.R4B.auditevent import AuditEvent
from lxml import etree

HERE = Path(__file__).parent
DCM = "http://dicom.nema.org/resources/ontology/DCM"
FIRST, SECOND = "110153", "110152"
# Pattern: (interaction, action, code of the client, code of the server, code of the user).
PATTERNS = {
    "Create": ("create", "C", FIRST, SECOND, {"AUT", "INF", "CST"}),
    "Read": ("read", "R", SECOND, FIRST, {"IRCP"}),
    "Update": ("update", "U", FIRST, SECOND, {"AUT", "INF", "CST"}),
    "Query": ("search", "E", FIRST, SECOND, {"IRCP"}),
}


def schema(early):
    text = (HERE / "ps3.15-a5.rnc").read_text()
    if early:
        text = text.replace("  attribute displayName { token }?,\n", "").replace("   attribute displayName { token }?,\n", "")
        text = text.replace("csd-code", "code").replace("originalText", "displayName")
    return etree.RelaxNG(etree.fromstring(rnc2rng.dumps(rnc2rng.loads(text)).encode()))


def messages(path, early):
    relax = schema(early)
    found = etree.parse(path).getroot().findall("AuditMessage")
    for number, message in enumerate(found, 1):
        alone = etree.fromstring(etree.tostring(message))
        # The namespace of the element around the messages is none of theirs.
        etree.cleanup_namespaces(alone)
        assert relax.validate(alone), f"{path.name}, message {number}: {relax.error_log}"
    # The judge must be able to fail.
    spoilt = etree.fromstring(etree.tostring(found[0]))
    spoilt.find("EventIdentification").set("EventOutcomeIndicator", "1")
    assert not relax.validate(spoilt), "the schema accepts everything"
    return len(found)


def codes(concepts):
    return {coding.code for concept in concepts if concept is not None for coding in concept.coding or []}


def pattern(event):
    """What the profile asks beyond R4."""
    (profile,) = event.meta.profile
    interaction, action, client, server, users = PATTERNS[profile.rsplit(".", 1)[1]]
    assert event.type.code == "rest" and event.action == action and event.outcome == "0"
    assert any(s.system == "http://hl7.org/fhir/restful-interaction" and s.code == interaction for s in event.subtype)
    by = {code: agent for agent in event.agent for code in codes([agent.type])}
    for machine in (client, server):
        assert by[machine].who and by[machine].network and not by[machine].media
    (user,) = [agent for code, agent in by.items() if code in users]
    assert user.who and user.requestor and not user.network
    (entity,) = event.entity
    assert entity.type.code == "2"
    if interaction == "search":
        assert entity.role.code == "24" and entity.query
        assert entity.what is None and entity.lifecycle is None and not entity.detail
    else:
        assert entity.role.code in {"3", "4", "20"} and entity.what


def audit_events(path):
    claimed = 0
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        event = AuditEvent.model_validate_json(line)
        if event.meta:
            claimed += 1
            try:
                pattern(event)
            except (AssertionError, KeyError, ValueError) as fault:
                raise AssertionError(f"{path.name}, line {number}: {fault!r} of {event.meta.profile}") from fault
    assert claimed, "no event is of a pattern"
    try:
        AuditEvent.model_validate_json(lines[0].replace('"recorded"', '"recorded_by"', 1))
    except ValueError:
        return len(lines)
    raise AssertionError("the judge of AuditEvents accepts everything")


def main():
    folder = Path(sys.argv[1])
    print("atna-xml:", messages(folder / "atna-xml.xml", early=False), "messages valid")
    print("atna-xml-early:", messages(folder / "atna-xml-early.xml", early=True), "messages valid")
    print("balp:", audit_events(folder / "balp.ndjson"), "resources valid")


main()
