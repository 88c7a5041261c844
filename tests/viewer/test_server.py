"""What the server answers, to whom, and that it stops at once."""

import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import made_up_folder
import numpy as np
import pytest
import viewer_server
from viewer_server import SCANS, Running

from operando.model.errors import OperandoError
from operando.pipeline import display
from operando.pipeline.store import Results
from operando.viewer import curves, server
from operando.viewer.files import page_files
from operando.viewer.packing import pack
from operando.viewer.reader import Reader


def key_of(running: Running, name: str = "volume", scan: int = 0) -> str:
    return display.catalogue(Results(running.folder))[name][scan].key


def unpack(content: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    length = struct.unpack("<I", content[:4])[0]
    about = json.loads(content[8 : 8 + length])
    types = {"float32": "<f4", "float64": "<f8", "uint8": "u1"}
    arrays = {
        name: np.frombuffer(content, types[a["type"]], int(np.prod(a["shape"])), 8 + length + a["offset"]).reshape(
            a["shape"]
        )
        for name, a in about["arrays"].items()
    }
    return about["header"], arrays


def test_numbers_come_out_of_the_packing_as_they_went_in():
    sent = {
        "a": np.arange(5, dtype=np.float32),
        "b": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "c": np.array([1e300]),
    }
    header, found = unpack(pack({"n": 1}, sent))
    assert header == {"n": 1}
    for name, array in sent.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_first_document_holds_scans_on_the_clock(running: Running):
    answer, content = running.ask("/api/experiment")
    found = json.loads(content)
    assert answer.status == 200
    assert [scan["index"] for scan in found["scans"]] == list(range(len(SCANS)))
    timeline = Results(running.folder).table("scan_timeline")
    assert found["scans"][2]["start"] == timeline["start"].values[2].astype("datetime64[ms]").astype(int)
    assert found["phases"] == ["void", "electrolyte", "anode"]
    assert set(found["images"]) == {"volume", "labels", "trust"}


@pytest.mark.parametrize(("axis", "number"), [("z", 20), ("y", 41), ("x", 7)])
def test_a_plane_is_the_volume_within_a_byte(running: Running, axis: str, number: int):
    answer, content = running.ask(f"/api/plane/volume/1/{key_of(running, scan=1)}/{axis}/1/{number}")
    assert answer.status == 200
    assert "immutable" in answer.headers["cache-control"]
    image = display.catalogue(Results(running.folder))["volume"][1]
    plane = np.frombuffer(content, np.uint8).reshape(image.plane_shape(axis, 1))
    shown = image.low + plane * (image.high - image.low) / 255
    true = Results(running.folder).volume(1)["mu"].isel({axis: number}).values
    inside = (true > image.low) & (true < image.high)
    assert inside.mean() > 0.98
    assert np.abs(shown - true)[inside].max() <= 0.51 * (image.high - image.low) / 255


def test_labels_keep_their_codes(running: Running):
    _, content = running.ask(f"/api/plane/labels/4/{key_of(running, 'labels', 4)}/y/1/40")
    true = Results(running.folder).labels(4)["label"].isel(y=40).values
    np.testing.assert_array_equal(np.frombuffer(content, np.uint8).reshape(true.shape), true)


def test_the_spectrum_adds_up_and_its_fit_follows_it(running: Running):
    header, arrays = unpack(running.ask("/api/spectrum/3")[1])
    assert header["number"] == 3
    assert {"d", "counts", "background", "fit"} <= set(arrays)
    net = (arrays["counts"] - arrays["background"]).sum()
    fitted = (arrays["fit"] - arrays["background"]).sum()
    assert fitted == pytest.approx(net, rel=0.35)


def test_the_heat_map_has_a_row_for_each_spectrum(running: Running):
    header, arrays = unpack(running.ask("/api/heatmap")[1])
    assert len(header["frames"]) == len(arrays["intensity"]) == 18
    assert {line["phase"] for line in header["lines"]} == {"In", "InLi"}


def test_curves_carry_their_intervals(running: Running):
    groups = json.loads(running.ask("/api/curves")[1])["groups"]
    anode = next(group for group in groups if group["name"] == "Volume of anode")["series"][0]
    assert anode["frames"] == list(range(len(SCANS)))
    assert all(low < value < high for low, value, high in zip(anode["low"], anode["value"], anode["high"], strict=True))


def test_thinning_keeps_the_extremes():
    values = np.sin(np.arange(100_000) / 50)
    values[54_321] = 9.0
    kept = curves.thinned(values, 1000)
    assert kept.size <= 1001
    assert 54_321 in kept
    assert {0, 99_999} <= set(kept.tolist())


def test_quality_and_summary_are_answered(running: Running):
    found = json.loads(running.ask("/api/quality")[1])
    assert {"centre", "dead_time"} <= {strip["name"] for strip in found["strips"]}
    assert json.loads(running.ask("/api/summary")[1])["title"]


def test_a_box_is_nifti_with_lengths_in_millimetres(running: Running):
    _, content = running.ask(f"/api/box/labels/0/{key_of(running, 'labels')}.nii")
    assert content[344:347] == b"n+1"
    assert struct.unpack("<8h", content[40:56])[:4] == (3, 80, 80, 48)
    assert struct.unpack("<8f", content[76:108])[1:4] == pytest.approx((0.02, 0.02, 0.02))
    assert len(content) == 352 + 80 * 80 * 48


# ---- who may ask what --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/experiment", "/js/main.js", "/api/events", "/nothing"])
def test_without_token_nothing_is_told(running: Running, path: str):
    answer, content = running.ask(path, headers={})
    assert answer.status == 401
    assert len(content) < 200


@pytest.mark.parametrize("path", ["/?token=wrong", "/api/experiment?token=" + "x" * 500, "/?token=%00%ff"])
def test_a_wrong_token_is_refused(running: Running, path: str):
    assert running.ask(path, headers={})[0].status in {401, 403}


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_cannot_read(running: Running):
    answer, _ = running.ask(f"/?token={viewer_server.TOKEN}", headers={})
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost.evil.example:{port}", ""])
def test_a_foreign_host_is_refused(running: Running, host: str):
    headers = {"Host": host.format(port=running.port), "Cookie": f"operando_{running.port}={viewer_server.TOKEN}"}
    assert running.ask("/api/experiment", headers)[0].status in {400, 421}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(running: Running, method: str):
    assert running.ask("/api/experiment", method=method)[0].status == 405


TRAVERSALS = ["..", "../..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%2f", "/etc/passwd", "....//", "%00", "a" * 100]


@pytest.mark.parametrize("bad", TRAVERSALS)
@pytest.mark.parametrize(
    "pattern",
    [
        "/{bad}",
        "/js/{bad}",
        "/api/plane/{bad}/0/{key}/z/1/0",
        "/api/plane/volume/{bad}/{key}/z/1/0",
        "/api/plane/volume/0/{bad}/z/1/0",
        "/api/plane/volume/0/{key}/{bad}/1/0",
        "/api/plane/volume/0/{key}/z/{bad}/0",
        "/api/plane/volume/0/{key}/z/1/{bad}",
        "/api/spectrum/{bad}",
        "/api/box/{bad}/0/{key}.nii",
        "/api/box/volume/0/{bad}.nii",
    ],
)
def test_no_parameter_reaches_the_disk(running: Running, pattern: str, bad: str):
    answer, content = running.ask(pattern.format(bad=bad, key=key_of(running)))
    assert answer.status in {400, 404, 414}
    assert b"root:" not in content


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/plane/volume/0/{key}/z/1/48", 404),
        ("/api/plane/volume/0/{key}/z/3/0", 404),
        ("/api/plane/volume/0/{key}/z/1/-1", 404),
        ("/api/plane/volume/99/{key}/z/1/0", 404),
        ("/api/plane/volume/0/{key}/z/1/99999999999999999999", 404),
        ("/api/spectrum/1000", 404),
        ("/api/experiment?" + "a" * 2000, 414),
        ("/" + "a" * 2000, 414),
        ("/api/experiment?" + "&".join(f"a{n}=1" for n in range(100)), 200),
    ],
)
def test_malformed_questions_get_the_right_status(running: Running, path: str, status: int):
    assert running.ask(path.format(key=key_of(running)))[0].status == status


def test_a_link_out_of_the_store_cannot_be_asked_for(running: Running, tmp_path):
    secret = tmp_path / "secret.u8"
    secret.write_bytes(b"secret" * 1000)
    link = running.folder / "results" / "display" / "volume-secret"
    link.symlink_to(tmp_path, target_is_directory=True)
    try:
        answer, content = running.ask("/api/plane/volume/0/secret/z/1/0")
        assert answer.status == 404
        assert b"secret" not in content
    finally:
        link.unlink()


def test_every_answer_carries_a_strict_policy(running: Running):
    for path in ("/", "/api/experiment", "/nothing"):
        headers = running.ask(path)[0].headers
        assert "unsafe" not in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_names_no_other_host():
    for path, file in page_files().items():
        if "/vendor/" not in path and path.endswith((".js", ".html", ".css")):
            text = file.content.decode().replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text, path
            assert "https://" not in text, path


def test_two_hundred_clients_leave_the_memory_flat(running: Running):
    import resource

    path = f"/api/plane/volume/0/{key_of(running)}/z/1/10"
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: running.ask(path)[0].status, range(50)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = list(pool.map(lambda _: running.ask(path)[0].status, range(200)))
    assert set(found) == {200}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


# ---- news and stopping -------------------------------------------------------------------------------------


def test_a_new_scan_is_told_at_once_and_the_server_stops_with_clients_open(tmp_path):
    made_up_folder.write(tmp_path, [0, 8])
    running, thread = viewer_server.start(tmp_path)
    connection = HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", "/api/events", headers={"Cookie": f"operando_{running.port}={viewer_server.TOKEN}"})
    stream = connection.getresponse()
    lines = [stream.readline() for _ in range(2)]
    assert lines[0] == b"event: revision\n"
    threading.Timer(0.3, made_up_folder.write, (tmp_path, [0, 8, 16])).start()
    seen = 0
    while not seen:
        line = stream.readline()
        seen = line.startswith(b"data: ") and line.strip() not in {lines[1].strip(), b"data: null"}
    assert len(json.loads(running.ask("/api/experiment")[1])["scans"]) == 3
    assert viewer_server.stop(running, thread) < 2.0
    connection.close()


def test_a_folder_without_results_is_named(tmp_path):
    with pytest.raises(OperandoError, match="no results yet"):
        server.serve(tmp_path, "127.0.0.1", None, open_browser=False)


def test_a_port_in_use_is_named(running: Running):
    with pytest.raises(OperandoError, match="give another --port"):
        server.listen("127.0.0.1", running.port)


def test_a_reader_follows_what_a_run_adds(tmp_path):
    made_up_folder.write(tmp_path, [0, 8])
    reader = Reader(tmp_path)
    assert not reader.refresh()
    made_up_folder.write(tmp_path, [0, 8, 16])
    assert reader.refresh()
    assert len(reader.images["volume"]) == 3
