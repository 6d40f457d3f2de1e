"""Downloads against a server of our own on 127.0.0.1, with the faults servers have."""

import gc
import hashlib
import socket
from dataclasses import replace

import pytest
from tests.io.opendata_server import CONTENT, answering, serving

from muonkit.core.errors import InputError
from muonkit.io import opendata
from muonkit.io.opendata import RECORDS, OpenDataRecord, fetch


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serving() as running:
        yield running


@pytest.fixture
def record(server):
    return OpenDataRecord(
        name="toy",
        record=1,
        title="toy",
        url=f"http://127.0.0.1:{server.server_port}/record/1/files/toy.csv",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )


def leave_part(folder, content):
    part = folder / "toy.csv.part"
    part.write_bytes(content)
    return part


def test_a_file_arrives_whole_and_alone(record, tmp_path):
    path = fetch(record, tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["toy.csv"]


def test_progress_rises_to_the_size_of_the_file(record, tmp_path):
    seen = []
    fetch(record, tmp_path, progress=lambda done, total: seen.append((done, total)))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert len(done) > 1
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_file_already_there_is_not_downloaded_again(server, record, tmp_path):
    (tmp_path / "toy.csv").write_bytes(CONTENT)
    assert fetch(record, tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_another_file_of_the_same_name_is_not_overwritten(server, record, tmp_path):
    mine = tmp_path / "toy.csv"
    mine.write_bytes(b"mine")
    with pytest.raises(InputError, match=r"toy\.csv: is there, but .* Move it away"):
        fetch(record, tmp_path)
    assert mine.read_bytes() == b"mine"
    assert server.asked == []


@pytest.mark.parametrize("says_length", [True, False])
def test_a_broken_connection_is_resumed_where_it_broke(server, record, tmp_path, says_length):
    server.closes_after, server.says_length = 100_000, says_length
    with pytest.raises(InputError, match=r"closed after 100000 of \d+ bytes. Run the same command again"):
        fetch(record, tmp_path)
    assert (tmp_path / "toy.csv.part").read_bytes() == CONTENT[:100_000]
    assert not (tmp_path / "toy.csv").exists()
    server.closes_after = None
    assert fetch(record, tmp_path).read_bytes() == CONTENT
    assert server.asked == [0, 100_000]


def test_an_interrupt_of_the_user_leaves_what_can_be_resumed(server, record, tmp_path):
    def interrupt(done, _):
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(record, tmp_path, progress=interrupt)
    done = (tmp_path / "toy.csv.part").stat().st_size
    assert 100_000 < done < len(CONTENT)
    assert fetch(record, tmp_path).read_bytes() == CONTENT
    assert server.asked == [0, done]


def test_a_complete_part_needs_no_server(server, record, tmp_path):
    leave_part(tmp_path, CONTENT)
    assert fetch(record, tmp_path).read_bytes() == CONTENT
    assert server.asked == []


def test_a_server_without_ranges_sends_everything_again(server, record, tmp_path):
    leave_part(tmp_path, CONTENT[:1000])
    server.ranges = False
    assert fetch(record, tmp_path).read_bytes() == CONTENT
    assert server.asked == [1000]


def test_a_partial_answer_from_elsewhere_is_refused(server, record, tmp_path):
    part = leave_part(tmp_path, CONTENT[:1000])
    server.shift = 14
    with pytest.raises(InputError, match="answers with another part of the file"):
        fetch(record, tmp_path)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_part_longer_than_the_file_is_thrown_away(server, record, tmp_path):
    leave_part(tmp_path, CONTENT + b"more")
    assert fetch(record, tmp_path).read_bytes() == CONTENT
    assert server.asked == [0]


def test_a_range_the_server_cannot_satisfy_starts_again(server, record, tmp_path):
    server.content = CONTENT[:1000]
    leave_part(tmp_path, CONTENT[:2000])
    with pytest.raises(InputError, match="has 1000 bytes instead of"):
        fetch(record, tmp_path)
    assert server.asked == [2000, 0]


def test_a_wrong_checksum_removes_the_part_and_says_so(server, record, tmp_path):
    server.content = CONTENT.replace(b"4.5", b"4.6", 1)
    with pytest.raises(InputError, match=r"toy\.csv: has another SHA-256 .*; it was not kept. Fetch again"):
        fetch(record, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_noticed_and_the_next_fetch_succeeds(record, tmp_path):
    leave_part(tmp_path, b"x" * 1000)
    with pytest.raises(InputError, match="SHA-256"):
        fetch(record, tmp_path)
    assert fetch(record, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT + b"one more line\n", CONTENT[:-14]])
def test_a_wrong_size_is_refused_before_it_is_downloaded(server, record, tmp_path, content):
    server.content = content
    with pytest.raises(InputError, match=rf"has {len(content)} bytes instead of {len(CONTENT)}"):
        fetch(record, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_too_long_of_unsaid_length_is_not_kept(server, record, tmp_path):
    server.content, server.says_length = CONTENT * 3, False
    with pytest.raises(InputError, match=r"bytes instead of .* it was not kept"):
        fetch(record, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [403, 404, 503])
def test_an_http_error_is_one_line_with_the_url_and_the_way_out(server, record, tmp_path, status):
    server.status = status
    with pytest.raises(InputError, match=rf"^http\S+/toy\.csv: cannot be fetched \({status} .*\)\. Try .*$") as caught:
        fetch(record, tmp_path)
    assert len(caught.value.faults) == 1
    assert "\n" not in str(caught.value)


def test_a_refused_connection_is_one_line(record, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=r"cannot be fetched \(.*refused\)"):
        fetch(replace(record, url=f"http://127.0.0.1:{port}/toy.csv"), tmp_path)


def test_a_silent_server_is_given_up(server, record, tmp_path, monkeypatch):
    monkeypatch.setattr(opendata, "TIMEOUT", 0.1)
    server.stalls = True
    with pytest.raises(InputError, match=r"cannot be fetched \(.*timed out\)"):
        fetch(record, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(server, record, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: cannot be written .* Choose another folder"):
        fetch(record, tmp_path / "file")
    assert server.asked == []


def test_the_published_records_are_complete():
    assert set(RECORDS) == {"murun2010b-0", "zmumu-2011a"}
    for name, entry in RECORDS.items():
        assert entry.name == name
        assert entry.url == f"https://opendata.cern.ch/record/{entry.record}/files/{entry.file_name}"
        assert entry.licence == "CC0"
        assert len(bytes.fromhex(entry.sha256)) == 32


BODY = b"x" * 100
MALFORMED = {
    "nothing": b"",
    "no status": b"HTTP/1.1\r\n\r\n",
    "zeros": bytes(500),
    "status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
    "length below 0": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + BODY,
    "length of letters": b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n" + BODY,
    "endless length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n" + BODY,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 10, 20\r\n\r\n" + BODY,
    "chunk of letters": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
    "chunk below 0": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + BODY,
    "long chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n" + BODY,
    "to a broken URL": b"HTTP/1.1 301 x\r\nLocation: http://[bad\r\n\r\n",
    "to a file": b"HTTP/1.1 301 x\r\nLocation: file:///etc/passwd\r\n\r\n",
    "to a bad port": b"HTTP/1.1 302 x\r\nLocation: http://a:b:c/\r\n\r\n",
    "in a circle": b"HTTP/1.1 302 x\r\nLocation: /\r\n\r\n",
    "escapes": b"HTTP/1.1 404 <script>\x1b[31mred\x07\r\n\r\n",
    "login": b'HTTP/1.1 401 x\r\nWWW-Authenticate: =\xff,,"\r\n\r\n',
    "100 for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # urllib forgets the socket of an answer it cannot follow
@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_is_one_printable_line(record, tmp_path, answer):
    with answering(answer) as port, pytest.raises(InputError) as caught:
        fetch(replace(record, url=f"http://127.0.0.1:{port}/{record.file_name}"), tmp_path)
    (line,) = caught.value.faults
    assert line.isprintable()
    assert len(line) < 500
    assert not (tmp_path / record.file_name).exists()
    del caught
    gc.collect()
