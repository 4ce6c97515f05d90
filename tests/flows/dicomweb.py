"""The DICOMweb of a running platform, read by dicomweb-client and pydicom as any viewer would.

    dicomweb.py URL TOKEN STUDY FILE

FILE is the study's only instance as the platform's own API gives it. Ends with 0 and the word `agrees`.
"""

import io
import sys

import numpy
import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image

url, token, study, path = sys.argv[1:]
own = pydicom.dcmread(path)
pixels = own.pixel_array

session = requests.Session()
session.headers["Authorization"] = f"Bearer {token}"
client = DICOMwebClient(url=url, session=session)


def uids(results, tag):
    return [result[tag]["Value"][0] for result in results]


# Search: by UID, by a name with a wildcard in either case, by day and by span, page by page.
assert own.StudyInstanceUID == study
name = str(own.PatientName)
for filters in [
    {"StudyInstanceUID": study},
    {"PatientName": name[:-2].lower() + "*"},
    {"PatientID": own.PatientID},
    {"StudyDate": own.StudyDate, "PatientID": own.PatientID},
    {"StudyDate": f"-{own.StudyDate}", "00100020": own.PatientID},
    {"ModalitiesInStudy": "DX", "PatientID": own.PatientID[:5] + "*" + own.PatientID[-1]},
]:
    found = client.search_for_studies(search_filters=filters)
    assert study in uids(found, "0020000D"), filters
for filters in [
    {"PatientID": own.PatientID + "_"},
    {"PatientID": own.PatientID.replace(own.PatientID[-1], "%")},
    {"StudyDate": "19000101-19991231", "PatientID": own.PatientID},
    {"ModalitiesInStudy": "CT", "PatientID": own.PatientID},
]:
    assert client.search_for_studies(search_filters=filters) == [], filters
every = uids(client.search_for_studies(), "0020000D")
paged = []
while len(paged) < len(every):
    page = client.search_for_studies(limit=1, offset=len(paged))
    assert len(page) == 1
    paged += uids(page, "0020000D")
assert paged == every and len(set(every)) == len(every)

found = client.search_for_studies(search_filters={"StudyInstanceUID": study}, fields=["00081030"])
assert found[0]["00201208"]["Value"] == [1] and found[0]["00080061"]["Value"] == ["DX"]
series = uids(client.search_for_series(study), "0020000E")
assert series == [own.SeriesInstanceUID]
instances = client.search_for_instances(study, series[0])
assert uids(instances, "00080018") == [own.SOPInstanceUID]
place = (study, series[0], own.SOPInstanceUID)

# Metadata: what pydicom makes of the JSON is what it makes of the file.
metadata = client.retrieve_instance_metadata(*place)
address = metadata["7FE00010"]["BulkDataURI"]
read = pydicom.Dataset.from_json({tag: value for tag, value in metadata.items() if tag != "7FE00010"})
for element in own:
    if element.tag.group in (0x7FE0, 0x0008) and element.tag in (0x7FE00010, 0x00080005):
        continue
    other = read[element.tag]
    assert element.VR == other.VR, element.tag
    assert str(element.value) == str(other.value) or element.value == other.value, element.tag

# Whole objects and frames: the same pixels.
one = client.retrieve_instance(*place)
assert one.SOPInstanceUID == own.SOPInstanceUID
assert numpy.array_equal(one.pixel_array, pixels)
assert [numpy.array_equal(each.pixel_array, pixels) for each in client.retrieve_series(*place[:2])] == [True]
assert [numpy.array_equal(each.pixel_array, pixels) for each in client.retrieve_study(study)] == [True]
frame = client.retrieve_instance_frames(*place, frame_numbers=[1])[0]
stored = numpy.frombuffer(frame, dtype="<u2").reshape(pixels.shape)
assert numpy.array_equal(stored, pixels)
bulk = client.retrieve_bulkdata(address)[0]
assert bulk == frame

# Rendered: the object's window is the linear one over all values (PS3.3 C.11.2.1.2.1).
shown = client.retrieve_instance_rendered(*place, media_types=("image/png",))
grey = numpy.asarray(Image.open(io.BytesIO(shown)).convert("L"))
center, width = float(own.WindowCenter), float(own.WindowWidth)
expected = numpy.clip((pixels - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255
assert numpy.abs(grey - expected).max() <= 0.51
narrow = client.retrieve_instance_frames_rendered(
    *place, frame_numbers=[1], media_types=("image/png",),
    params={"window": "1024,512,linear", "viewport": "16,16"},
)
assert max(Image.open(io.BytesIO(narrow)).size) == 16
jpeg = client.retrieve_instance_rendered(*place, media_types=("image/jpeg",))
assert Image.open(io.BytesIO(jpeg)).format == "JPEG"

print("agrees")
